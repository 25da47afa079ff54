package main

import "fmt"

const hook = "https://open.feishu.cn/open-apis/bot/v2/hook/6f1d0b7a-93c2-4e58-8a4d-c07e25b9d316"

func main() {
	fmt.Println(len(hook))
}
