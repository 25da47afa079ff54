#include "net/failure.h"

#include "base/lang.h"
#include "base/mem.h"
#include "net/curl.h"

/* In words of our own: libcurl's may hold the address. */
/* clang-format off */
static const struct {
	int code;
	enum transport transport;
	struct tx why;
} failures[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, TRANSPORT_DNS, { "the host name cannot be resolved (DNS)", "无法解析主机名（DNS）" } },
	{ CURLE_COULDNT_RESOLVE_PROXY, TRANSPORT_DNS, { "the host name of the proxy cannot be resolved (DNS)", "无法解析代理的主机名（DNS）" } },
	{ CURLE_COULDNT_CONNECT, TRANSPORT_CONNECT, { "nobody accepts the connection", "无法建立连接：对方不接受" } },
	{ PROXY_REFUSES, TRANSPORT_CONNECT, { "the proxy refuses the connection", "代理拒绝了连接" } },
	{ CURLE_INTERFACE_FAILED, TRANSPORT_CONNECT, { "no network interface can be used", "没有可用的网络接口" } },
	{ CURLE_SSL_CONNECT_ERROR, TRANSPORT_TLS, { "the TLS handshake failed", "TLS 握手失败" } },
	{ CURLE_PEER_FAILED_VERIFICATION, TRANSPORT_TLS, { "the certificate is not for this host name", "证书与该主机名不符" } },
	{ CURLE_SSL_CERTPROBLEM, TRANSPORT_TLS, { "our TLS certificate cannot be used", "本方 TLS 证书不可用" } },
	{ CURLE_SSL_CIPHER, TRANSPORT_TLS, { "there is no TLS cipher in common", "没有共同支持的 TLS 加密套件" } },
	{ CURLE_SSL_CACERT_BADFILE, TRANSPORT_TLS, { "the trusted certificates cannot be read: install ca-certificates, or set SSL_CERT_FILE", "无法读取受信任的证书：请安装 ca-certificates，或设置 SSL_CERT_FILE" } },
	{ CURLE_SSL_ISSUER_ERROR, TRANSPORT_TLS, { "the issuer of the certificate is not the right one", "证书的签发者不正确" } },
	{ CURLE_SSL_INVALIDCERTSTATUS, TRANSPORT_TLS, { "the status of the certificate is not valid", "证书状态无效" } },
	{ CURLE_SSL_ENGINE_NOTFOUND, TRANSPORT_TLS, { "TLS cannot start", "TLS 无法启动" } },
	{ CURLE_SSL_ENGINE_INITFAILED, TRANSPORT_TLS, { "TLS cannot start", "TLS 无法启动" } },
	{ CURLE_USE_SSL_FAILED, TRANSPORT_TLS, { "the mail server offers no STARTTLS, and nothing is sent without it", "邮件服务器不支持 STARTTLS，不会以明文发送" } },
	{ CURLE_OPERATION_TIMEDOUT, TRANSPORT_TIMEOUT, { "the answer did not come in time", "未在限时内收到应答" } },
	{ CURLE_GOT_NOTHING, TRANSPORT_RESET, { "the connection was closed without an answer", "连接被关闭，没有应答" } },
	{ CURLE_SEND_ERROR, TRANSPORT_RESET, { "the connection broke while sending", "发送时连接中断" } },
	{ CURLE_RECV_ERROR, TRANSPORT_RESET, { "the connection broke while the answer was awaited", "等待应答时连接中断" } },
	{ CURLE_SEND_FAIL_REWIND, TRANSPORT_RESET, { "a kept connection was closed without an answer", "保持的连接被关闭，没有应答" } },
	{ CURLE_PARTIAL_FILE, TRANSPORT_RESET, { "the connection broke in the middle of the answer", "应答中途连接中断" } },
	{ CURLE_HTTP2, TRANSPORT_RESET, { "the HTTP/2 connection broke", "HTTP/2 连接中断" } },
	{ CURLE_HTTP2_STREAM, TRANSPORT_RESET, { "the HTTP/2 stream was reset", "HTTP/2 流被重置" } },
	{ CURLE_WRITE_ERROR, TRANSPORT_TOO_BIG, { "the head of the answer is larger than 64 KiB", "应答头超过 64 KiB" } },
	{ CURLE_WEIRD_SERVER_REPLY, TRANSPORT_OTHER, { "what answers there does not speak this protocol", "对方使用的不是该协议" } },
	{ CURLE_UNSUPPORTED_PROTOCOL, TRANSPORT_OTHER, { "what answers there does not speak this protocol", "对方使用的不是该协议" } },
	{ CURLE_BAD_CONTENT_ENCODING, TRANSPORT_OTHER, { "the answer cannot be decoded", "应答无法解码" } },
	{ CURLE_LOGIN_DENIED, TRANSPORT_OTHER, { "the mail server offers no way to log in that is known here", "邮件服务器不提供可用的登录方式" } },
	{ CURLE_OUT_OF_MEMORY, TRANSPORT_OTHER, { "out of memory", "内存不足" } },
};

/* As OpenSSL counts them; 1 is where libcurl begins: no reason is known. */
static const struct {
	long code;
	struct tx why;
} verifications[] = {
	{ 9, { "the certificate is not valid yet: is a clock wrong?", "证书尚未生效：时钟是否有误？" } },
	{ 10, { "the certificate has expired", "证书已过期" } },
	{ 18, { "the certificate is self-signed and not trusted", "证书是自签名的，不受信任" } },
	{ 19, { "the certificate comes from an authority that is not trusted: a private one is named with SSL_CERT_FILE", "证书由不受信任的机构签发：私有 CA 可用 SSL_CERT_FILE 指定" } },
	{ 20, { "the certificate comes from an authority that is not trusted: a private one is named with SSL_CERT_FILE", "证书由不受信任的机构签发：私有 CA 可用 SSL_CERT_FILE 指定" } },
	{ 21, { "the certificate comes from an authority that is not trusted: a private one is named with SSL_CERT_FILE", "证书由不受信任的机构签发：私有 CA 可用 SSL_CERT_FILE 指定" } },
	{ 23, { "the certificate is revoked", "证书已被吊销" } },
	{ 62, { "the certificate is not for this host name", "证书与该主机名不符" } },
	{ 64, { "the certificate is not for this address", "证书与该地址不符" } },
};
/* clang-format on */

enum transport failure_transport(int code)
{
	for (size_t i = 0; i < ARRAY_LEN(failures); i++)
		if (failures[i].code == code)
			return failures[i].transport;
	return TRANSPORT_OTHER;
}

const char *failure_text(int code, long verify, bool connected)
{
	if (code == CURLE_OPERATION_TIMEDOUT && !connected)
		return TR("no connection came about in time", "未在限时内建立连接");
	if (verify > 1 && failure_transport(code) == TRANSPORT_TLS) {
		for (size_t i = 0; i < ARRAY_LEN(verifications); i++)
			if (verifications[i].code == verify)
				return tx(verifications[i].why);
		return TR("the certificate cannot be verified", "证书验证失败");
	}
	for (size_t i = 0; i < ARRAY_LEN(failures); i++)
		if (failures[i].code == code)
			return tx(failures[i].why);
	return TR("the exchange failed", "传输失败");
}
