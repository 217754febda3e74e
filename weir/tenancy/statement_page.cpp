// A statement as one HTML page, for the screen and for paper.
#include <fmt/format.h>

#include <iterator>

#include "weir/base/html.hpp"
#include "weir/tenancy/statement.hpp"

namespace weir::tenancy {
namespace {

// The colours of weir's reports, and no more of their style than a table and a few figures need.
constexpr std::string_view style = R"css(
:root{color-scheme:light dark;--ground:#f3f8fa;--card:#fff;--ink:#12303f;--soft:#4d6b7a;--line:#d9e6ec;--deep:#0b4f73}
@media (prefers-color-scheme:dark){:root{--ground:#0b171e;--card:#11222c;--ink:#e0eef4;--soft:#93b1bf;--line:#213945;--deep:#a5dcf4}}
@media print{:root{--ground:#fff;--card:#fff;--ink:#12303f;--soft:#4d6b7a;--line:#d9e6ec;--deep:#0b4f73}}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,"Noto Sans","Noto Sans CJK SC",sans-serif}
main{max-width:1060px;margin:0 auto;padding:36px 20px 60px}
h1{margin:0;font-size:28px;line-height:1.2;overflow-wrap:anywhere}h2{margin:0 0 6px;font-size:18px}
p{margin:4px 0 20px;color:var(--soft);max-width:78ch}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:0 0 20px}
.card,section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 18px}
.card b{display:block;font-size:22px;color:var(--deep);font-variant-numeric:tabular-nums}.card span{color:var(--soft);font-size:13px}
section{margin:0 0 18px;overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th,td{padding:5px 12px 5px 0;text-align:left;border-bottom:1px solid var(--line);white-space:nowrap}
th{color:var(--soft);font-weight:600}.n{text-align:right}tfoot td{font-weight:650;color:var(--deep);border-bottom:0}
)css";

class Page {
public:
    template <class... Args>
    void add(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(html_), format, std::forward<Args>(args)...);
    }
    void figure(const std::string& value, std::string_view what) {
        add("<div class=\"card\"><b>{}</b><span>{}</span></div>\n", value, what);
    }
    void words(std::string_view text) { add("<td>{}</td>", escaped(text)); }
    void number(const std::string& text) { add("<td class=\"n\">{}</td>", text); }
    void amount(std::int64_t micros) { number(micros == 0 ? "" : amount_text(micros)); }
    [[nodiscard]] std::string finish() && { return std::move(html_); }

private:
    std::string html_;
};

void amounts(Page& page, const StatementRow& row, std::uint64_t chip_ms_milli) {
    page.number(chip_ms_milli == 0 ? "" : chip_hours_text(chip_ms_milli));
    page.amount(row.cost);
    page.amount(row.covered);
    page.amount(row.paid);
    page.amount(row.received);
}

}  // namespace

std::string statement_html(const Statement& statement) {
    const std::string whose =
        escaped(statement.organisation.empty() ? "the centre" : statement.organisation);
    const std::string month = month_text(statement);
    const StatementRow total = statement.total();
    Page page;
    page.add(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
        "<title>{0} {1} \u2013 weir "
        "statement</title>\n<style>{2}</style>\n</head>\n<body>\n<main>\n"
        "<h1>{0}</h1>\n<p>Statement for {1}, with everybody below it. Amounts in {3}, exact; "
        "times in UTC.</p>\n",
        whose,
        month,
        style,
        statement.currency.text());
    page.add("<div class=\"cards\">\n");
    page.figure(chip_hours_text(total.chip_ms_milli), "chip-hours used");
    page.figure(amount_text(total.cost), "cost");
    page.figure(amount_text(total.covered), "covered by vouchers");
    page.figure(amount_text(total.paid), "paid");
    page.figure(amount_text(total.received), "received");
    page.add(
        "</div>\n<section>\n<h2>What for</h2>\n<table>\n<thead><tr><th>organisation</th>"
        "<th>what</th><th>class</th><th>chip</th><th class=\"n\">chip-hours</th>"
        "<th class=\"n\">cost</th><th class=\"n\">covered</th><th class=\"n\">paid</th>"
        "<th class=\"n\">received</th></tr></thead>\n<tbody>\n");
    for (const StatementRow& row : statement.rows) {
        page.add("<tr>");
        page.words(row.organisation.empty() ? "the centre" : row.organisation);
        page.words(row.what);
        page.words(row.job_class);
        page.words(row.chip);
        amounts(page, row, row.chip_ms_milli + row.lent_ms_milli);
        page.add("</tr>\n");
    }
    page.add("</tbody>\n<tfoot><tr><td colspan=\"4\">in all</td>");
    amounts(page, total, total.chip_ms_milli);
    page.add("</tr></tfoot>\n</table>\n</section>\n");
    if (!statement.vouchers.empty()) {
        page.add(
            "<section>\n<h2>Vouchers</h2>\n<table>\n<thead><tr><th>voucher</th>"
            "<th>holder</th><th class=\"n\">spent</th><th class=\"n\">left</th></tr></thead>\n"
            "<tbody>\n");
        for (const StatementVoucher& voucher : statement.vouchers) {
            page.add("<tr><td>{}</td>", voucher.id.value + 1);
            page.words(voucher.holder);
            page.number(amount_text(voucher.spent));
            page.number(amount_text(voucher.left));
            page.add("</tr>\n");
        }
        page.add("</tbody>\n</table>\n</section>\n");
    }
    page.add("</main>\n</body>\n</html>\n");
    return std::move(page).finish();
}

}  // namespace weir::tenancy
