"""The look of the page: light and dark, narrow and wide, on paper."""

__all__ = ["CSS"]

CSS = """
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#16202b;--soft:#5b6875;--rule:#e3e7ec;--bar:#c3cbd4;
--model:#0072b2;--wins:#00795a;--loses:#b64400;--even:#5b6875;--none:#5b6875;--tint:#eef4f9;--mark:#fff4dc;--markink:#6b4a00}
@media (prefers-color-scheme:dark){:root{--page:#0f141a;--card:#171e26;--ink:#e8edf2;--soft:#9aa8b5;--rule:#28323d;
--bar:#46535f;--model:#4aa8e0;--wins:#3fc79a;--loses:#ff9257;--even:#a9b5c0;--none:#a9b5c0;--tint:#1a2733;
--mark:#33290f;--markink:#ffd98a}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Liberation Sans",Arial,sans-serif;-webkit-font-smoothing:antialiased}
main,header,footer{max-width:1080px;margin:0 auto;padding:0 28px}
header{display:flex;align-items:baseline;gap:12px;padding-top:28px;color:var(--soft);font-size:14px}
header b{color:var(--ink);font-size:15px;letter-spacing:.02em}
header span+span::before{content:"/";margin-right:12px;color:var(--bar)}
.verdict{margin:28px 0 30px;padding-left:22px;border-left:5px solid var(--tone)}
.verdict p{margin:0 0 8px;display:inline-flex;align-items:center;gap:8px;color:var(--tone);font-weight:650;
font-size:14px;letter-spacing:.06em;text-transform:uppercase}
.verdict svg{width:18px;height:18px;flex:none}
h1{margin:0;font-size:clamp(24px,3.6vw,38px);line-height:1.22;letter-spacing:-.015em;font-weight:680;text-wrap:pretty;
overflow-wrap:anywhere}
.wins{--tone:var(--wins)}.loses{--tone:var(--loses)}.even{--tone:var(--even)}.none{--tone:var(--none)}.shown{--tone:var(--model)}
h2{margin:44px 0 6px;font-size:20px;letter-spacing:-.01em}
h2+p{margin:0 0 16px;color:var(--soft);font-size:15px}
h2+div{margin-top:14px}
h3{margin:0;font-size:15.5px}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));background:var(--card);
border:1px solid var(--rule);border-radius:12px;overflow:hidden;margin:0}
.facts div{box-shadow:1px 1px 0 var(--rule);padding:14px 18px}
.facts dt{color:var(--soft);font-size:13px}
.facts dd{margin:2px 0 0;font-size:19px;font-weight:620;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:16px}
.card{background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:18px 20px;margin:0;
break-inside:avoid}
.card>p{margin:2px 0 0;color:var(--soft);font-size:13px}
table{border-collapse:collapse;width:100%;font-size:14.5px}
.race{margin-top:12px}
.race td,.race th{padding:6px 0;text-align:left;font-weight:400;vertical-align:middle}
.race th{padding-right:14px;min-width:110px;overflow-wrap:anywhere}
.race td:nth-child(2){width:45%}
.race td:last-child{text-align:right;padding-left:14px;white-space:nowrap;font-variant-numeric:tabular-nums}
.race i{display:block;height:10px;border-radius:3px;background:var(--bar);min-width:2px;print-color-adjust:exact;
-webkit-print-color-adjust:exact}
.race .model i{background:var(--model)}.race .model th{color:var(--model)}
.race .best th,.race .best td{font-weight:700}
.figures{display:grid;gap:18px}
figure{padding:0!important;overflow:hidden}
figure img{display:block;max-width:100%;height:auto;margin:0 auto}
figure div{background:#fff;padding:10px}
figcaption{padding:14px 20px 16px;border-top:1px solid var(--rule)}
figcaption p{margin:2px 0 0;color:var(--soft);font-size:14.5px}
.list{table-layout:auto}
.list th,.list td{text-align:left;padding:7px 0;border-bottom:1px solid var(--rule);vertical-align:top;font-weight:400;
overflow-wrap:anywhere}
.list tr:last-child>*{border-bottom:0}
.list th{color:var(--soft);width:42%;padding-right:14px}
.list td{font-variant-numeric:tabular-nums}
.list .changed>*{font-weight:700;color:var(--ink)}
.grid th,.grid td{text-align:left;padding:6px 14px 6px 0;border-bottom:1px solid var(--rule);vertical-align:top;
font-variant-numeric:tabular-nums}
.grid th{color:var(--soft);font-weight:600;font-size:13px}.grid tbody tr:last-child td{border-bottom:0}
section>.card:has(.grid){overflow-x:auto}
.card h3+table,.card h3+ul{margin-top:8px}
ul{margin:6px 0 0;padding-left:20px}li{margin:3px 0;overflow-wrap:anywhere}
.warn{background:var(--mark);color:var(--markink);border-radius:12px;padding:14px 20px;margin:0 0 20px}
.warn li{margin:4px 0}
code{font-family:ui-monospace,"SF Mono",Consolas,"Liberation Mono",monospace;font-size:.93em}
footer{padding:40px 28px 48px;color:var(--soft);font-size:13px}
@media (max-width:560px){main,header,footer{padding-left:16px;padding-right:16px}.verdict{padding-left:14px}
figure div{overflow-x:auto}figure img{width:600px;max-width:none}}
@media print{:root{--page:#fff;--card:#fff;--ink:#000;--soft:#444;--rule:#ccc;--bar:#bbb;--model:#0072b2;--wins:#00795a;
--loses:#b64400;--even:#444;--none:#444;--mark:#fff;--markink:#000}
body{font-size:11pt}h1{font-size:20pt}main,header,footer{max-width:none;padding-left:0;padding-right:0}h2,h2+p{break-after:avoid}
.cards{grid-template-columns:1fr 1fr}.card{padding:12px 14px}h2{margin-top:26px}figure img{max-height:16cm;width:auto}
.warn{border:1px solid #999}}
"""
