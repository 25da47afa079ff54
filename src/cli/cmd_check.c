#include "cli/checking.h"

static const struct verb *const subs[] = { &verb_check_activation, &verb_check_active, NULL };

const struct verb verb_check = {
	.name = "check",
	.brief = { "find failures before they happen: activation", "提前发现故障：代码激活" },
	.text = { "Reads what is written before it is run.\n\n"
		  "  tocsin check activation\n"
		  "  tocsin check activation --matrix linux/amd64,windows/arm64\n"
		  "  tocsin check activation store/x_windows.go\n"
		  "  tocsin check active store.Open --binary ./server --pid 4711\n\n"
		  "Exit status: 0 nothing wrong; 1 something is; 2 wrong usage or unreadable input; 125 Tocsin's own failure.",
		  "在运行之前阅读所写的内容。\n\n"
		  "  tocsin check activation\n"
		  "  tocsin check activation --matrix linux/amd64,windows/arm64\n"
		  "  tocsin check activation store/x_windows.go\n"
		  "  tocsin check active store.Open --binary ./server --pid 4711\n\n"
		  "退出状态：0 没有问题；1 有问题；2 用法错误或输入无法读取；125 Tocsin 自身故障。" },
	.subs = subs,
};
