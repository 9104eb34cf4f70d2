"""Raw requests, and exactly what a server is to answer to each.

Nothing here needs the application to tell it apart from an honest request but its bytes: a proxy in front
may read them in another way than the server behind it does, and whatever falls between the two is run.
"""

from typing import NamedTuple


class Case(NamedTuple):
    """``answers``: the statuses, one for each answer. ``closes``: the server hangs up after them.

    Where it does not hang up, the connection is good for another request.
    """

    name: str
    raw: bytes
    answers: tuple[int, ...]
    closes: bool = False
    #: The request is a HEAD: its answer has no content.
    bodiless: bool = False


def refused(name: str, raw: bytes, status: int = 400) -> Case:
    return Case(name, raw, (status,), closes=True)


HOST = b"Host: localhost\r\n"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
GET = b"GET /sign-in HTTP/1.1\r\n" + HOST
#: A post without a token: what can be read of it is answered with 403.
POST = b"POST /sign-in HTTP/1.1\r\n" + HOST + FORM
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
API = b"POST /api/v1/sign-in HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
SECOND = b"GET /listings HTTP/1.1\r\n" + HOST + b"\r\n"


def target(written: bytes, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    return method + b" " + written + b" HTTP/" + version + b"\r\n" + HOST + b"\r\n"


def sized(head: bytes, body: bytes) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def parts(
    *written: bytes, end: bytes = b"--x--\r\n", kind: bytes = b"multipart/form-data; boundary=x"
) -> bytes:
    head = b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Content-Type: " + kind + b"\r\n"
    return sized(head, b"".join(b"--x\r\n" + each + b"\r\n" for each in written) + end)


#: Where a request ends: two readers must not find two ends.
FRAMING: tuple[Case, ...] = (
    # what counts is the chunks; the rest of the line is not read as a second request
    Case(
        "length-and-chunks",
        POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND,
        (403,),
        True,
    ),
    Case(
        "chunks-and-length",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n" + SECOND,
        (403,),
        True,
    ),
    Case("length-twice-the-same", POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\na=1", (403,)),
    refused("lengths-that-differ", POST + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\na=1bb" + SECOND),
    refused("length-list", POST + b"Content-Length: 3, 3\r\n\r\na=1"),
    refused("length-plus", POST + b"Content-Length: +3\r\n\r\na=1"),
    refused("length-negative", POST + b"Content-Length: -3\r\n\r\na=1"),
    refused("length-hexadecimal", POST + b"Content-Length: 0x3\r\n\r\na=1"),
    refused("length-two-words", POST + b"Content-Length: 1 1\r\n\r\na=1"),
    refused("length-empty", POST + b"Content-Length: \r\n\r\na=1"),
    refused("length-without-end", POST + b"Content-Length: 99999999999999999999999\r\n\r\na=1"),
    refused("length-of-64-bits", POST + b"Content-Length: 18446744073709551615\r\n\r\na=1", 431),
    refused("length-space-before-colon", POST + b"Content-Length : 3\r\n\r\na=1"),
    refused("chunk-size-letters", CHUNKED + b"xyz\r\na=1\r\n0\r\n\r\n" + SECOND),
    refused("chunk-size-negative", CHUNKED + b"-3\r\na=1\r\n0\r\n\r\n" + SECOND),
    refused("chunk-size-prefix", CHUNKED + b"0x3\r\na=1\r\n0\r\n\r\n" + SECOND),
    refused("chunk-size-empty", CHUNKED + b"\r\na=1\r\n0\r\n\r\n" + SECOND),
    refused("chunk-size-overflows", CHUNKED + b"fffffffffffffffff\r\na=1\r\n0\r\n\r\n" + SECOND),
    refused("chunk-longer-than-its-size", CHUNKED + b"2\r\na=1\r\n0\r\n\r\n" + SECOND),
    refused("chunk-bare-line-feeds", CHUNKED + b"3\na=1\n0\n\n" + SECOND),
    Case("chunk-extension", CHUNKED + b'3;a=b;c="d"\r\na=1\r\n0\r\n\r\n', (403,)),
    refused("chunk-extension-line-feed", CHUNKED + b"3;a\nb\r\na=1\r\n0\r\n\r\n" + SECOND),
    refused("chunk-extension-long", CHUNKED + b"3;" + b"a" * 100_000 + b"\r\na=1\r\n0\r\n\r\n"),
    Case("trailer-host", CHUNKED + b"3\r\na=1\r\n0\r\nHost: evil.example\r\n\r\n", (403,)),
    refused("trailers-many", CHUNKED + b"3\r\na=1\r\n0\r\n" + b"a: b\r\n" * 20_000 + b"\r\n"),
    refused("coding-unknown", POST + b"Transfer-Encoding: xchunked\r\n\r\n3\r\na=1\r\n0\r\n\r\n" + SECOND),
    refused("coding-identity", POST + b"Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\na=1"),
    refused(
        "coding-chunked-first", POST + b"Transfer-Encoding: chunked, identity\r\n\r\n3\r\na=1\r\n0\r\n\r\n"
    ),
    refused(
        "coding-twice", POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"
    ),
    refused("coding-vertical-tab", POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    refused("coding-folded", POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    refused("coding-of-1.0", POST.replace(b"/1.1", b"/1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    # the content of a GET or a HEAD is content, whatever it looks like
    Case("get-with-a-request-in-it", sized(GET, SECOND), (200,)),
    Case("head-with-a-request-in-it", sized(GET.replace(b"GET", b"HEAD"), SECOND), (200,), bodiless=True),
    Case("unknown-page-with-a-request-in-it", sized(POST.replace(b"sign-in", b"nowhere"), SECOND), (404,)),
    Case(
        "other-host-with-a-request-in-it", sized(POST.replace(b"localhost", b"evil.example"), SECOND), (421,)
    ),
    Case(
        "pipelined", GET + b"\r\n" + target(b"/nowhere") + sized(POST, b"a=1") + SECOND, (200, 404, 403, 200)
    ),
    refused("pipelined-rubbish", b"\x00\x01\x02" + GET + b"\r\n"),
    Case("pipelined-then-rubbish", GET + b"\r\n\x00\x01\x02" + SECOND, (200, 400), closes=True),
    Case("closed-by-the-first", GET + b"Connection: close\r\n\r\n" + SECOND, (200,), closes=True),
    Case("nothing-but-lines", b"\r\n" * 100 + GET + b"\r\n", (200,)),
)

#: Lines of the head.
HEADS: tuple[Case, ...] = (
    Case("bare-line-feeds", b"GET /sign-in HTTP/1.1\nHost: localhost\n\n", (200,)),  # as RFC 9112 2.2 allows
    refused("bare-returns", b"GET /sign-in HTTP/1.1\rHost: localhost\r\r"),
    refused("folded", GET + b"X-A: b\r\n c\r\n\r\n"),
    refused("folded-first", b"GET /sign-in HTTP/1.1\r\n Host: localhost\r\n\r\n"),
    refused("space-before-colon", GET + b"X-A : b\r\n\r\n"),
    refused("no-colon", GET + b"nonsense\r\n\r\n"),
    refused("no-name", GET + b": b\r\n\r\n"),
    refused("name-nul", GET + b"X-\0A: b\r\n\r\n"),
    refused("name-eight-bits", GET + b"X-\xff: b\r\n\r\n"),
    refused("name-long", GET + b"a" * 70_000 + b": b\r\n\r\n", 431),
    refused("value-nul", GET + b"X-A: a\0b\r\n\r\n"),
    refused("value-escape", GET + b"X-A: \x1b[31m\r\n\r\n"),
    refused("value-bare-return", GET + b"X-A: a\rSet-Cookie: evil=1\r\n\r\n"),
    Case(
        "value-eight-bits",
        GET + b"X-A: \xff\xfe\r\nUser-Agent: \xff\r\nAccept-Language: \xff\r\n\r\n",
        (200,),
    ),
    Case("value-long", GET + b"X-A: " + b"a" * 300_000 + b"\r\n\r\n", (200,)),
    refused("value-longer-than-all-may-be", GET + b"X-A: " + b"a" * 600_000 + b"\r\n\r\n", 431),
    refused("headers-many", GET + b"".join(b"X-%d: b\r\n" % n for n in range(200)) + b"\r\n", 431),
    refused("headers-flood", GET + b"".join(b"X-%d: b\r\n" % n for n in range(50_000)) + b"\r\n", 431),
    Case("origin-that-no-parser-reads", sized(POST + b"Origin: http://[evil\r\n", b"a=1"), (403,)),
    Case("origin-of-letters", sized(POST + b"Origin: \xff\xfe://\xff\r\n", b"a=1"), (403,)),
    Case("continue", sized(POST + b"Expect: 100-continue\r\n", b"a=1"), (100, 403)),
    Case("expects-something-else", sized(POST + b"Expect: 200-ok\r\n", b"a=1"), (403,)),
    # no other protocol is spoken on this port: one that is asked for is passed over, as RFC 9110 7.8 allows
    Case(
        "upgrade-h2c",
        GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
        (200,),
    ),
    Case(
        "upgrade-websocket",
        GET
        + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        (200,),
    ),
    Case("preface-of-http-2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0", (), closes=True),
    refused("preface-cut-off", b"PRI * HTTP/2.0\r\n\r\nS" + b"X" * 20),
    refused("tls-hello", bytes.fromhex("16030100f8010000f40303") + b"\0" * 240),
    refused("every-byte", bytes(range(256)) * 10),
    refused("version-0.9", b"GET /\r\n"),
    Case("version-1.0", target(b"/sign-in", version=b"1.0") + SECOND, (200,), closes=True),
    refused("version-1.2", target(b"/sign-in", version=b"1.2")),
    refused("version-2.0", target(b"/sign-in", version=b"2.0")),
)

#: For whom a request is. This site has no name of its own but localhost and numbers.
HOSTS: tuple[Case, ...] = (
    Case("host-none", b"GET /sign-in HTTP/1.1\r\n\r\n", (421,)),
    Case("host-none-of-1.0", b"GET /sign-in HTTP/1.0\r\n\r\n", (421,), closes=True),
    Case("host-empty", b"GET /sign-in HTTP/1.1\r\nHost:\r\n\r\n", (421,)),
    Case("host-other", b"GET /sign-in HTTP/1.1\r\nHost: evil.example\r\n\r\n", (421,)),
    Case("host-bytes", b"GET /sign-in HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n", (421,)),
    Case("host-twice", GET + b"Host: evil.example\r\n\r\n", (421,)),
    Case("host-twice-the-same", GET + HOST + b"\r\n", (421,)),
    Case("host-of-the-target", b"GET http://evil.example/sign-in HTTP/1.1\r\n\r\n", (421,)),
    # its own name in Host is enough: that of the target is written nowhere
    Case("target-absolute", target(b"http://evil.example/sign-in"), (200,)),
    Case("target-absolute-odd", target(b"http://a:b@evil.example:99999/sign-in"), (200,)),
    refused("target-absolute-without-host", target(b"http:/sign-in")),
    refused("target-file", target(b"file:///etc/passwd")),
    # a target that is a name and no path is the front page
    Case("target-authority", target(b"localhost:80"), (200,)),
    Case("target-without-slash", target(b"sign-in"), (200,)),
    refused("target-empty", target(b"")),
    Case("target-star", target(b"*"), (404,)),
    Case("target-star-of-options", target(b"*", b"OPTIONS"), (404,)),
    Case("connect", target(b"evil.example:443", b"CONNECT"), (405,)),
    Case("connect-to-a-path", target(b"/", b"CONNECT"), (405,)),
    Case("trace", target(b"/", b"TRACE"), (405,)),
    Case("method-unknown", target(b"/", b"BREW"), (405,)),
    Case("method-small-letters", target(b"/", b"get"), (405,)),
    Case("method-long", target(b"/", b"A" * 5_000), (405,)),
    refused("method-rubbish", target(b"/", b"G<T")),
)

#: Paths and queries.
TARGETS: tuple[Case, ...] = (
    refused("path-nul", target(b"/\0")),
    refused("path-control", target(b"/a\x01b")),
    refused("path-tab", target(b"/a\tb")),
    refused("path-space", target(b"/a b")),
    refused("path-eight-bits", target(b"/\xff\xfe")),
    refused("query-eight-bits", target(b"/listings?q=\xff\xfe")),
    Case("path-utf-8", target("/花".encode()), (404,)),
    Case("path-percent-nul", target(b"/%00"), (404,)),
    Case("path-percent-nothing", target(b"/%zz%f%"), (404,)),
    Case("path-percent-eight-bits", target(b"/%ff%fe"), (404,)),
    Case("path-overlong", target(b"/%c0%af%e0%80%af"), (404,)),
    Case("path-surrogate", target(b"/%ed%a0%80"), (404,)),
    Case("path-surrogate-of-the-api", target(b"/api/v1/%ed%a0%80%00%ff"), (404,)),
    Case("path-fragment", target(b"/sign-in#/listings"), (200,)),
    Case("path-long", target(b"/" + b"a" * 60_000), (404,)),
    refused("path-longer", target(b"/" + b"a" * 70_000), 414),
    refused("path-without-end", b"GET /" + b"a" * 1_000_000, 431),
    Case("query-overlong", target(b"/listings?q=%c0%af"), (200,)),
    Case("query-surrogate", target(b"/listings?q=%ed%a0%80&page=%ed%a0%80"), (422,)),
    Case("query-nul", target(b"/listings?q=%00"), (200,)),
    Case("query-line", target(b"/sign-in?lang=en%0d%0aSet-Cookie:%20evil=1&next=/%0d%0aX-Evil:%201"), (200,)),
    Case("list-of-lines", target(b"/listings?q=a%0d%0aHX-Redirect:%20//evil.example"), (200,)),
    Case("list-by-a-name-of-lines", target(b"/listings?a%0d%0aX-Evil:%201=1"), (422,)),
    Case("path-line", target(b"/%0d%0aSet-Cookie:%20evil=1%0d%0a%0d%0a%3cscript%3e"), (404,)),
    Case("path-line-of-the-api", target(b"/api/v1/%0d%0aSet-Cookie:%20evil=1"), (404,)),
    Case("page-to-sign-in-for-line", target(b"/selling?a=%0d%0aSet-Cookie:%20evil=1"), (303,)),
    Case("page-to-sign-in-for-bytes", target(b"/selling?a=%ff%fe&b=\xe8\x8a\xb1"), (303,)),
)

#: Ways out of the folder of files, none of which is one.
OUTSIDE: tuple[bytes, ...] = (
    b"/assets/../../pyproject.toml",
    b"/assets/../app.py",
    b"/assets/..%2f..%2fapp.py",
    b"/assets/%2e%2e/%2e%2e/app.py",
    b"/assets/%2e%2e%2f%2e%2e%2fapp.py",
    b"/assets/%252e%252e%252fapp.py",
    b"/assets/..%255c..%255capp.py",
    b"/assets/..%5c..%5capp.py",
    b"/assets/..\\..\\app.py",
    b"/assets/....//....//app.py",
    b"/assets/..;/..;/app.py",
    b"/assets/%c0%ae%c0%ae/%c0%ae%c0%ae/app.py",
    b"/assets/%uff0e%uff0e/app.py",
    b"/assets//etc/passwd",
    b"/assets/%2fetc%2fpasswd",
    b"/assets/file:%2f%2f%2fetc%2fpasswd",
    b"/assets/app.css%00.js",
    b"/assets/.",
    b"/assets/..",
    b"//etc/passwd",
    b"/../../../../etc/passwd",
    b"/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    b"/pictures/1/..%2f..%2fthumb",
)

_NAMED = b'Content-Disposition: form-data; name="a"'
_OPEN = b'--x\r\nContent-Disposition: form-data; name="phone"\r\n\r\n1'

#: What is in a body. 403: it could be read, and carries no token.
BODIES: tuple[Case, ...] = (
    Case("form-broken-utf-8", sized(POST, b"phone=\xff\xfe&%ff=%c0%af&_csrf=%ff"), (403,)),
    Case("form-percent-nothing", sized(POST, b"%=%&%zz=%f&&&=;="), (403,)),
    Case("form-gzip", sized(POST + b"Content-Encoding: gzip\r\n", b"\x1f\x8b\x08\0" + b"\0" * 40), (403,)),
    Case(
        "form-gzip-in-transfer",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n3\r\na=1\r\n0\r\n\r\n",
        (403,),
    ),
    Case(
        "form-charset-unknown",
        sized(POST.replace(FORM, FORM[:-2] + b"; charset=nonsense\r\n"), b"a=1"),
        (403,),
    ),
    Case("api-gzip", sized(API + b"Content-Encoding: gzip\r\n", b"\x1f\x8b\x08\0" + b"\0" * 40), (422,)),
    Case("type-of-bytes", sized(POST.replace(FORM, b"Content-Type: \xff\xfe/\xff\r\n"), b"a=1"), (403,)),
    Case("type-of-bytes-api", sized(API.replace(b"application/json", b"\xff"), b"{}"), (415,)),
    Case("parts-without-end", parts(_NAMED + b"\r\n\r\n1", end=_OPEN), (400,)),
    refused("parts-by-thousands", parts(*[_NAMED + b"\r\n\r\n1"] * 5_000)),
    Case(
        "parts-of-one-name", parts(*[b'Content-Disposition: form-data; name="_csrf"\r\n\r\n1'] * 20), (403,)
    ),
    Case(
        "parts-nested",
        parts(_NAMED + b"\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\n1\r\n--y--"),
        (403,),
    ),
    Case("part-name-of-bytes", parts(b'Content-Disposition: form-data; name="\xff\xfe"\r\n\r\n1'), (400,)),
    Case("part-header-of-bytes", parts(b"Content-\xff: \0\r\n\r\n1"), (400,)),
    Case("part-content-of-bytes", parts(_NAMED + b"\r\n\r\n\xff\xfe"), (403,)),
    Case(
        "part-charset-unknown",
        parts(_NAMED + b"\r\nContent-Type: text/plain; charset=nonsense\r\n\r\n1"),
        (403,),
    ),
    Case(
        "part-charset-no-text",
        parts(_NAMED + b"\r\nContent-Type: text/plain; charset=rot13\r\n\r\n1"),
        (403,),
    ),
    Case(
        "part-charset-by-field",
        parts(b'Content-Disposition: form-data; name="_charset_"\r\n\r\nhex', _NAMED + b"\r\n\r\nzz"),
        (403,),
    ),
    Case(
        "part-file-name-of-lines", parts(_NAMED + b"; filename*=UTF-8''a%0d%0aX-Evil:%201\r\n\r\n1"), (403,)
    ),
    Case("part-file-name-nonsense", parts(_NAMED + b"; filename*=nonsense''%ff%zz\r\n\r\n1"), (403,)),
    refused(
        "part-name-long", parts(b'Content-Disposition: form-data; name="' + b"a" * 500_000 + b'"\r\n\r\n1')
    ),
    refused("part-headers-many", parts(b"a: b\r\n" * 50_000 + b"\r\n1")),
    Case("boundary-none", parts(_NAMED + b"\r\n\r\n1", kind=b"multipart/form-data"), (400,)),
    Case("boundary-empty", parts(_NAMED + b"\r\n\r\n1", kind=b"multipart/form-data; boundary="), (400,)),
    Case(
        "boundary-of-bytes", parts(_NAMED + b"\r\n\r\n1", kind=b"multipart/form-data; boundary=\xff"), (400,)
    ),
    Case(
        "boundary-long",
        parts(_NAMED + b"\r\n\r\n1", kind=b"multipart/form-data; boundary=" + b"a" * 5_000),
        (400,),
    ),
    refused("longer-than-may-be", POST + b"Content-Length: 50000000\r\n\r\n" + b"a" * 100, 413),
    refused("longer-than-may-be-and-sent", sized(POST, b"a=" + b"1" * 3_000_000), 413),
    refused("longer-than-may-be-api", sized(API, b'{"phone": "' + b"1" * 3_000_000 + b'"}'), 413),
)

#: Cookies of strangers.
COOKIES: tuple[Case, ...] = (
    Case("cookie-bytes", GET + b"Cookie: market=\xff\xfe; \xff=\xfe; visit=\xff\r\n\r\n", (200,)),
    Case("cookie-huge", GET + b"Cookie: market=" + b"a" * 200_000 + b"\r\n\r\n", (200,)),
    Case(
        "cookie-many",
        GET + b"Cookie: " + b"; ".join(b"a%d=1" % n for n in range(5_000)) + b"\r\n\r\n",
        (200,),
    ),
    Case("cookie-lines", GET + b"Cookie: a=b\r\n" * 90 + b"\r\n", (200,)),
    Case("cookie-rubbish", GET + b'Cookie: ;;;==;="";market;market=;toast=.;known=.=;lang="\r\n\r\n', (200,)),
    Case(
        "cookie-escaped-line",
        GET + b'Cookie: lang="en\\015\\012X-Evil: 1"; visit="a\\015\\012b"\r\n\r\n',
        (200,),
    ),
    Case("cookie-forged", GET + b"Cookie: toast=e30.AAAA; known=YQ.\xc3\xa9; market=$2b$\r\n\r\n", (200,)),
)
