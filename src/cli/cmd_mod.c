#include "cli/modding.h"

static const struct verb *const subs[] = { &verb_mod_download, &verb_mod_doctor, &verb_mod_check, &verb_mod_verify, &verb_mod_sign, &verb_mod_verify_signature, NULL };

const struct verb verb_mod = {
	.name = "mod",
	.brief = { "modules: download, check, verify, sign", "模块：下载、检查、校验、签名" },
	.text = { "The module layer made dependable.\n\n"
		  "  tocsin mod verify-signature --key key.pub\n\n"
		  "Exit status: 0 nothing wrong; 1 something is; 2 wrong usage or unreadable input; 125 Tocsin's own failure.",
		  "让模块层可靠。\n\n"
		  "  tocsin mod verify-signature --key key.pub\n\n"
		  "退出状态：0 没有问题；1 有问题；2 用法错误或输入无法读取；125 Tocsin 自身故障。" },
	.subs = subs,
};
