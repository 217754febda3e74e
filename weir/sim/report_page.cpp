#include "weir/sim/report_page.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>

#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/sim/svg.hpp"

namespace weir::sim {
namespace {

// Water: deep where work is done, sand where it waits. Contrast of text is at least 4.5 : 1 on
// both grounds.
constexpr std::string_view style = R"css(
:root{color-scheme:light dark;--ground:#f3f8fa;--card:#fff;--ink:#12303f;--soft:#4d6b7a;--line:#d9e6ec;
--grid:#e6eff3;--busy:#1f7fae;--busy-fill:#a9d4e8;--wait:#b3762a;--wait-fill:#f0d7b0;--deep:#0b4f73;--accent:#c2571a;
--run0:#0b63a8;--run1:#c2571a;--run2:#0a8468;--run3:#a8468c;--run4:#7d6500;--run5:#2b2f36;--run6:#2791c4;--run7:#b03a48}
@media (prefers-color-scheme:dark){:root{--ground:#0b171e;--card:#11222c;--ink:#e0eef4;--soft:#93b1bf;--line:#213945;
--grid:#1b313c;--busy:#5db8e0;--busy-fill:#1d4c64;--wait:#e0ac62;--wait-fill:#57431f;--deep:#a5dcf4;--accent:#f0935a;
--run0:#5aa9f0;--run1:#f0935a;--run2:#3fcaa4;--run3:#e08fc8;--run4:#d3b84a;--run5:#e6e9ee;--run6:#8fd3f4;--run7:#ff8b95}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif}
main{max-width:1060px;margin:0 auto;padding:36px 20px 60px}
header{margin:0 0 22px}header p{margin:0;color:var(--soft)}
h1{margin:2px 0 4px;font-size:30px;line-height:1.2;font-weight:650;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{margin:0 0 2px;font-size:18px;font-weight:650}h3{margin:20px 0 2px;font-size:15px;font-weight:650}
.brand{font-size:13px;letter-spacing:.08em;text-transform:uppercase;color:var(--busy)!important;font-weight:650}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:4px 0 22px}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px}
.card b{display:block;font-size:22px;white-space:nowrap;line-height:1.2;font-weight:650;color:var(--deep);font-variant-numeric:tabular-nums}
.card span{font-size:13px;color:var(--soft)}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 20px 14px;margin:0 0 18px;break-inside:avoid}
section{overflow-x:auto}section>p{margin:0 0 10px;color:var(--soft);max-width:78ch}
svg{display:block;width:100%;min-width:640px;height:auto;font:12.5px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif}
.grid{stroke:var(--grid);stroke-width:1}.base{stroke:var(--soft);stroke-width:1}
.label{fill:var(--soft);font-variant-numeric:tabular-nums}.faint{fill:var(--soft);opacity:.75;font-size:11.5px}
.note{fill:var(--ink);paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}
.end{text-anchor:end}.middle{text-anchor:middle}
.fill-busy{fill:var(--busy-fill)}.line-busy{fill:none;stroke:var(--busy);stroke-width:1.5}
.fill-wait{fill:var(--wait-fill)}.line-wait{fill:none;stroke:var(--wait);stroke-width:1.5}
.mean{stroke:var(--ink);stroke-width:1.2;stroke-dasharray:5 4;opacity:.75}
.box{fill:var(--busy-fill);stroke:var(--busy);stroke-width:1}.median{stroke:var(--deep);stroke-width:2.5}
.whisker{stroke:var(--busy);stroke-width:1.2}.p95{fill:var(--accent)}
.hover{fill:var(--ink);opacity:0}.hover:hover{opacity:.07}
.gantt-wait{stroke:var(--wait);stroke-width:1.3;opacity:.8}.gantt-run{fill:var(--busy)}.gantt-run:hover{fill:var(--accent)}
.gantt-again{fill:var(--accent)}.gantt-again:hover{fill:var(--wait)}
.bar-busy{fill:var(--busy)}.bar-wait{fill:var(--wait)}.bar-bad{fill:var(--accent)}.bar-rest{fill:var(--line)}
.cap{stroke:var(--accent);stroke-width:1.4;stroke-dasharray:7 4;fill:none}.peak{stroke:var(--deep);stroke-width:2;fill:none}
.run{fill:none;stroke-width:1.8;stroke-linejoin:round}.thin{fill:none;stroke-width:1}.level{stroke-width:1.2;stroke-dasharray:7 4}.strip{stroke:none;opacity:.4}.dot{stroke:var(--card);stroke-width:1}
.w-level{fill:var(--deep);background:var(--deep)}.w-run{fill:var(--busy);background:var(--busy)}.w-kernel{fill:var(--run4);background:var(--run4)}
.w-held{fill:var(--accent);background:var(--accent)}.w-place{fill:var(--wait);background:var(--wait)}.w-bar{fill:var(--run3);background:var(--run3)}
.w-idle{fill:var(--busy-fill);background:var(--busy-fill)}.w-health{fill:var(--run7);background:var(--run7)}.w-dark{fill:var(--run5);background:var(--run5)}
.r0{stroke:var(--run0)}.f0{fill:var(--run0)}
.r1{stroke:var(--run1)}.f1{fill:var(--run1)}
.r2{stroke:var(--run2)}.f2{fill:var(--run2)}
.r3{stroke:var(--run3)}.f3{fill:var(--run3)}
.r4{stroke:var(--run4)}.f4{fill:var(--run4)}
.r5{stroke:var(--run5)}.f5{fill:var(--run5)}
.r6{stroke:var(--run6)}.f6{fill:var(--run6)}
.r7{stroke:var(--run7)}.f7{fill:var(--run7)}
.d1{stroke-dasharray:7 3}.d2{stroke-dasharray:2 3}.d3{stroke-dasharray:9 3 2 3}
.key svg{display:inline-block;width:30px;min-width:0;height:9px;margin-right:6px;vertical-align:middle}
td small{color:var(--soft);margin-left:6px}td b{color:var(--deep)}
.key{display:flex;flex-wrap:wrap;gap:4px 18px;margin:0 0 6px;font-size:13px;color:var(--soft)}
.key i{display:inline-block;width:13px;height:11px;border-radius:2px;margin-right:6px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th,td{padding:5px 12px 5px 0;text-align:right;border-bottom:1px solid var(--grid);white-space:nowrap}
th{font-weight:600;color:var(--soft);border-bottom-color:var(--line)}
th:first-child,td:first-child{text-align:left}
details{margin-top:8px;font-size:14px}summary{cursor:pointer;color:var(--soft)}summary:hover{color:var(--busy)}
ul{margin:6px 0;padding-left:20px}code{font:13px ui-monospace,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
footer{color:var(--soft);font-size:13px;margin-top:26px}footer p{margin:4px 0;max-width:92ch}
@media print{:root{--ground:#fff;--card:#fff;--ink:#12303f;--soft:#4d6b7a;--line:#d9e6ec;--grid:#e6eff3;--busy:#1f7fae;
--busy-fill:#a9d4e8;--wait:#b3762a;--wait-fill:#f0d7b0;--deep:#0b4f73;--accent:#c2571a;
--run0:#0b63a8;--run1:#c2571a;--run2:#0a8468;--run3:#a8468c;--run4:#7d6500;--run5:#2b2f36;--run6:#2791c4;--run7:#b03a48}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}main{padding:0;max-width:none}details:not([open]){display:none}
section,.card{border-color:#ccd9df}}
)css";

}  // namespace

HtmlPage::HtmlPage(std::string_view title, std::string_view subtitle, std::string_view kind) {
    add("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
        "<title>{} \u2013 {}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n",
        escaped(title),
        escaped(kind),
        style);
    add("<header>\n<p class=\"brand\">{}</p>\n<h1>{}</h1>\n<p>{}</p>\n</header>\n",
        escaped(kind),
        escaped(title),
        escaped(subtitle));
}

void HtmlPage::cards(const std::vector<std::pair<std::string, std::string>>& figures) {
    html_ += "<div class=\"cards\">\n";
    for (const auto& [value, what] : figures) {
        add("<div class=\"card\"><b>{}</b><span>{}</span></div>\n", escaped(value), escaped(what));
    }
    html_ += "</div>\n";
}

void HtmlPage::section(std::string_view title, std::string_view what) {
    add("<section>\n<h2>{}</h2>\n<p>{}</p>\n", escaped(title), what);
}

void HtmlPage::key(const std::vector<std::pair<std::string, std::string>>& entries) {
    html_ += "<div class=\"key\">";
    for (const auto& [style_of, name] : entries)
        add("<span><i style=\"{}\"></i>{}</span>", style_of, escaped(name));
    html_ += "</div>\n";
}

void HtmlPage::html_table(const Row& titles, const std::vector<Row>& rows) {
    html_ += "<div class=\"scroll\"><table><thead><tr>";
    for (const std::string& title : titles)
        add("<th>{}</th>", escaped(title));
    html_ += "</tr></thead><tbody>\n";
    for (const Row& row : rows) {
        html_ += "<tr>";
        for (const std::string& cell : row)
            add("<td>{}</td>", cell);
        html_ += "</tr>\n";
    }
    html_ += "</tbody></table></div>\n";
}

void HtmlPage::table(const Row& titles, const std::vector<Row>& rows) {
    std::vector<Row> safe = rows;
    for (Row& row : safe) {
        for (std::string& cell : row)
            cell = escaped(cell);
    }
    html_table(titles, safe);
}

void HtmlPage::twin(const Row& titles, const std::vector<Row>& rows) {
    html_ += "<details><summary>The numbers as a table</summary>\n";
    table(titles, rows);
    html_ += "</details>\n";
}

void HtmlPage::notes(const std::vector<std::string>& notes) {
    html_ += "<section>\n<h2>What was cleaned and left out</h2>\n";
    if (notes.empty()) {
        html_ += "<p>Nothing: every job of the log was replayed as it stands.</p>\n";
    } else {
        html_ += "<ul>\n";
        for (const std::string& note : notes)
            add("<li>{}</li>\n", escaped(note));
        html_ += "</ul>\n";
    }
    end_section();
}

std::string HtmlPage::finish(std::string_view foot) && {
    add("<footer>\n{}</footer>\n</main>\n</body>\n</html>\n", foot);
    return std::move(html_);
}

std::string duration_text(double value_s) {
    return format_duration(seconds(std::llround(value_s)));
}

// Seconds where they are few, else as people say it.
std::string wait_text(double value_s) {
    return value_s > 0 && value_s < 10 ? fmt::format("{:.1f}s", value_s) : duration_text(value_s);
}

std::string policy_title(const std::string& policy) {
    if (policy == "easy") return "EASY backfill";
    if (policy == "fcfs") return "strict first come, first served";
    return policy;
}

// "2,064 nodes without chips + 50 nodes with 2 V100M16 each": pools of one kind together.
std::string machine_text(const fleet::Fleet& fleet, bool classic) {
    if (classic)
        return format_count(std::max(fleet.chips_total(), fleet.nodes_total())) + " processors";
    std::map<std::pair<std::string, std::uint32_t>, std::uint64_t> kinds;
    for (const fleet::Pool& pool : fleet.pools)
        kinds[{pool.chip, pool.chips_per_node}] += pool.nodes;
    std::string text;
    for (const auto& [kind, nodes] : kinds) {
        if (!text.empty()) text += " + ";
        if (text.size() > 200)
            return text + fmt::format("others, {} pools in all", fleet.pools.size());
        text +=
            kind.second > 0
                ? fmt::format(
                      "{} with {} {} each", format_count(nodes, "node"), kind.second, kind.first)
                : format_count(nodes, "node") + " without chips";
    }
    return text;
}

}  // namespace weir::sim
