#include "cli/modding.h"

static const struct verb *const subs[] = {
	&verb_mod_download, &verb_mod_doctor, &verb_mod_check, &verb_mod_verify, &verb_mod_sign, &verb_mod_verify_signature, NULL
};

const struct verb verb_mod = {
	.name = "mod",
	.brief = { "modules: download, doctor, check, verify, sign", "模块：下载、诊断、检查、校验、签名" },
	.text = { "The module layer made dependable: downloads that survive, an environment that is explained before it fails, files that are checked without go, a cache that is "
		  "compared with its hashes, and a signature over what is built.\n\n"
		  "  tocsin mod download\n"
		  "  tocsin mod doctor\n"
		  "  tocsin mod check\n"
		  "  tocsin mod verify\n"
		  "  tocsin mod verify-signature --key key.pub\n\n"
		  "Exit status: 0 nothing wrong; 1 something is; 2 wrong usage or unreadable input; 125 Tocsin's own failure.",
		  "让模块层可靠：下载不因一次故障而失败，环境在出错之前得到解释，文件无需 go 即可检查，缓存与哈希逐一比对，所构建的内容有签名。\n\n"
		  "  tocsin mod download\n"
		  "  tocsin mod doctor\n"
		  "  tocsin mod check\n"
		  "  tocsin mod verify\n"
		  "  tocsin mod verify-signature --key key.pub\n\n"
		  "退出状态：0 没有问题；1 有问题；2 用法错误或输入无法读取；125 Tocsin 自身故障。" },
	.subs = subs,
};
