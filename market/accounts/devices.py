"""What a browser says of itself, in two words that its owner knows it by."""

from market.i18n import Message, msg

#: In this order: most browsers also call themselves by the names further down.
_BROWSERS = (
    ("MicroMessenger", "wechat"),
    ("DingTalk", "dingtalk"),
    ("HuaweiBrowser", "huawei"),
    ("MiuiBrowser", "xiaomi"),
    ("UCBrowser", "uc"),
    ("QQBrowser", "qq"),
    ("Edg", "edge"),
    ("Firefox", "firefox"),
    ("FxiOS", "firefox"),
    ("CriOS", "chrome"),
    ("Chrome", "chrome"),
    ("Safari", "safari"),
)
_SYSTEMS = (
    ("OpenHarmony", "harmony"),
    ("HarmonyOS", "harmony"),
    ("Android", "android"),
    ("iPhone", "iphone"),
    ("iPad", "ipad"),
    ("Windows", "windows"),
    ("Mac OS X", "mac"),
    ("Linux", "linux"),
)
NAMES: dict[str, Message] = {
    "wechat": msg("微信"),
    "dingtalk": msg("钉钉"),
    "huawei": msg("华为浏览器"),
    "xiaomi": msg("小米浏览器"),
    "uc": msg("UC 浏览器"),
    "qq": msg("QQ 浏览器"),
    "edge": msg("Edge 浏览器"),
    "firefox": msg("火狐浏览器"),
    "chrome": msg("Chrome 浏览器"),
    "safari": msg("Safari 浏览器"),
    "harmony": msg("鸿蒙手机"),
    "android": msg("安卓手机"),
    "iphone": msg("苹果手机"),
    "ipad": msg("苹果平板"),
    "windows": msg("Windows 电脑"),
    "mac": msg("苹果电脑"),
    "linux": msg("Linux 电脑"),
    "program": msg("程序（API）"),
}
#: The device of whoever signs in over the API.
PROGRAM = "program"


def device_of(user_agent: str) -> str:
    """Return the codes of browser and system, ``wechat android``; nothing else of it is kept."""
    found = [
        next((code for sign, code in table if sign in user_agent), "") for table in (_BROWSERS, _SYSTEMS)
    ]
    return " ".join(code for code in found if code)


def words(device: str) -> Message:
    """Return a device's codes as people read them."""
    names = [NAMES[code] for code in device.split() if code in NAMES]
    if not names:
        return msg("不认识的设备")
    return names[0] if len(names) == 1 else msg("{browser}，{system}", browser=names[0], system=names[1])
