"""Where the reference data have their rules, ways and yields from: kept in Chinese, read in either language.

A source that is not named here is shown as it stands.
"""

from market.i18n import Message, msg

SOURCES: tuple[Message, ...] = (
    msg("食品生产许可"),
    msg("食品生产许可证编号规则"),
    msg("委托生产报告义务（2026-12-01 起）"),
    msg("承诺达标合格证（2026-02-01 起）"),
    msg("GB 2716-2018（转引）"),
    msg("零售商供应商公平交易管理办法（2006）"),
    msg("国务院令第 802 号"),
    msg("民法典第 586、587 条"),
    msg("民法典第 591 条"),
    msg("工作原则"),
    msg("食品生产许可管理办法（总局令第 24 号）；准备厂房的时间另计"),
    msg("委托生产报告义务（2026-12-01 起）；时间看厂家排期"),
    msg("省级小作坊条例"),
    msg("检测机构通常的出报告时间"),
    msg("GB 2716-2018；检测机构通常的出报告时间"),
    msg("乡镇速测站通常当天出结果"),
    msg("动物检疫管理办法"),
    msg("国家农产品质量安全追溯管理信息平台"),
    msg("GB 7718-2011（2027-03-16 起 GB 7718-2025）"),
    msg("绿色食品标志管理办法"),
    msg("地理标志专用标志使用管理办法"),
    msg("名特优新农产品名录收集登录规范"),
    msg("GB/T 1532 按纯仁率分等；整批出仁率另看水分和秕果"),
    msg("壳、秕果和水分"),
    msg("花生仁含油约一半；压榨法得油很少超过其中九成（J. agric. Engng Res. 28 (1983) 495-503）"),
    msg("压榨后的饼，含残油和水分"),
    msg("水分、油脚和洒漏"),
    msg("由出仁率与仁的出油率相乘"),
    msg("由出仁率与仁的出饼率相乘"),
    msg("壳、秕果、水分和油脚"),
    msg("灌装洒漏一般在百分之一上下"),
    msg("灌装洒漏"),
)
