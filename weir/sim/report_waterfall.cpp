#include "weir/sim/report_waterfall.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "weir/base/units.hpp"
#include "weir/sim/report_charts.hpp"
#include "weir/sim/svg.hpp"

namespace weir::sim {
namespace {

using tenancy::Books;
using tenancy::ChipTime;
using tenancy::Loss;
using tenancy::Losses;

constexpr double names_end = 186;               // labels of lines end here
constexpr double bars_end = chart_width - 204;  // and numbers begin here

// Classes that are of one colour, and stand together where there is no room for each.
struct Shade {
    std::string_view name;
    std::string_view css;  // of the style of a page
    Loss first;
    Loss last;
};
constexpr std::array<Shade, 8> shades{{
    {"useful, or running", "w-run", Loss::running, Loss::useful},
    {"plan and kernel efficiency", "w-kernel", Loss::plan, Loss::kernel},
    {"held, not running", "w-held", Loss::staging, Loss::open},
    {"not placeable", "w-place", Loss::set_apart, Loss::fragmented},
    {"not admissible", "w-bar", Loss::over_quota, Loss::awaiting_data},
    {"nobody waits", "w-idle", Loss::not_demanded, Loss::not_demanded},
    {"failed or drained", "w-health", Loss::failed, Loss::drained},
    {"no watts", "w-dark", Loss::unpowered, Loss::unpowered},
}};

std::string_view css_of(std::string_view line) {
    for (std::size_t i = 0; i < tenancy::loss_count; ++i) {
        if (title_of(static_cast<Loss>(i)) != line) continue;
        for (const Shade& shade : shades) {
            if (i >= static_cast<std::size_t>(shade.first) &&
                i <= static_cast<std::size_t>(shade.last)) {
                return shade.css;
            }
        }
    }
    return "w-level";
}

std::string hours_text(ChipTime amount) {
    return number_text(tenancy::hours_of(amount));
}
std::string percent_text(ChipTime amount, ChipTime whole) {
    return fmt::format("{:.2f} %", tenancy::share_of(amount, whole) * 100);
}

void legend(HtmlPage& page, const std::vector<const Losses*>& of, std::size_t from_shade = 0) {
    page.raw("<div class=\"key\">");
    for (std::size_t i = from_shade; i < shades.size(); ++i) {
        const Shade& shade = shades[i];
        if (std::none_of(of.begin(), of.end(), [&](const Losses* losses) {
                return losses->sum(shade.first, shade.last) > 0;
            })) {
            continue;
        }
        page.add("<span><i class=\"{}\"></i>{}</span>", shade.css, shade.name);
    }
    page.raw("</div>\n");
}

// Rows of the fleet's books: a line each, a column for every class in which anything is.
void books_table(HtmlPage& page,
                 std::string_view of,
                 std::string_view hours,
                 const std::vector<Books::Row>& rows) {
    constexpr std::size_t rows_max = 60;
    std::vector<std::size_t> shown;
    for (std::size_t i = 0; i < tenancy::loss_count; ++i) {
        if (std::any_of(rows.begin(), rows.end(), [i](const Books::Row& row) {
                return row.losses.of[i] > 0;
            })) {
            shown.push_back(i);
        }
    }
    Row titles{std::string(of), std::string(hours)};
    for (const std::size_t i : shown)
        titles.emplace_back(title_of(static_cast<Loss>(i)));
    std::vector<Row> lines;
    for (const Books::Row& row : rows) {
        if (lines.size() == rows_max) {
            lines.push_back({format_count(rows.size() - rows_max) + " more"});
            break;
        }
        const ChipTime whole = row.losses.total();
        Row line{row.name.empty() ? "(not named)" : row.name, hours_text(whole)};
        for (const std::size_t i : shown)
            line.push_back(row.losses.of[i] == 0 ? "-" : percent_text(row.losses.of[i], whole));
        lines.push_back(std::move(line));
    }
    page.add("<details><summary>By {}</summary>\n", of);
    page.table(titles, lines);
    page.raw("</details>\n");
}

}  // namespace

std::string hours_name(tenancy::Unit unit, bool classic) {
    if (unit == tenancy::Unit::cpus) return "CPU-hours";
    return classic ? "processor-hours" : "chip-hours";
}

std::vector<WaterfallLine> lines_of(const Losses& losses) {
    std::vector<WaterfallLine> lines;
    const auto add = [&](Loss first, Loss last) {
        for (auto i = static_cast<std::size_t>(first); i <= static_cast<std::size_t>(last); ++i) {
            if (losses.of[i] == 0) continue;
            lines.push_back({std::string(title_of(static_cast<Loss>(i))), losses.of[i], false});
        }
    };
    lines.push_back({"peak", losses.total(), true});
    add(Loss::unpowered, Loss::fragmented);
    lines.push_back({"allocated", losses.held(), true});
    add(Loss::staging, Loss::open);
    if (losses.held() == 0) return lines;
    const ChipTime running = losses.sum(Loss::plan, Loss::useful);
    lines.push_back({"running", running, true});
    if (losses[Loss::running] == running) return lines;  // that is all that is known
    add(Loss::plan, Loss::running);
    lines.push_back({std::string(title_of(Loss::useful)), losses[Loss::useful], true});
    return lines;
}

std::string waterfall_chart(const Losses& losses, std::string_view hours) {
    constexpr double row = 25;
    const std::vector<WaterfallLine> lines = lines_of(losses);
    const ChipTime peak = losses.total();
    const Axis x{.low = 0,
                 .high = peak > 0 ? static_cast<double>(peak) : 1,
                 .from = names_end + 10,
                 .to = bars_end};
    Svg svg(chart_width, 8 + row * static_cast<double>(lines.size()) + 6, "The waterfall");
    double y = 8;
    ChipTime left = peak;  // of the level above, after its losses so far
    for (const WaterfallLine& line : lines) {
        const ChipTime above = left;
        left = line.level ? line.amount : left - line.amount;
        const double from = x.at(line.level ? 0 : static_cast<double>(left));
        const double to = x.at(static_cast<double>(line.level ? line.amount : above));
        const std::string share = percent_text(line.amount, peak);
        const std::string much = hours_text(line.amount) + " " + std::string(hours);
        svg.text(names_end, y + row * 0.66, line.name, line.level ? "note end" : "label end");
        svg.rect(from,
                 y + (line.level ? 2 : 4),
                 std::max(1.0, to - from),
                 row - (line.level ? 4 : 8),
                 css_of(line.name),
                 line.name + ": " + share + ", " + much,
                 2);
        // The level falls from here to the next line.
        if (&line != &lines.back()) {
            const double at = x.at(static_cast<double>(left));
            svg.line(at, y + row - 3, at, y + row + 4, "base");
        }
        svg.text(bars_end + 72, y + row * 0.66, share, line.level ? "note end" : "label end");
        svg.text(bars_end + 84, y + row * 0.66, much, "faint");
        y += row;
    }
    return svg.finish();
}

std::string waterfall_over_time(const Books& books, const std::optional<Time>& zero_utc) {
    constexpr double top = 14;
    constexpr double bottom = 244;
    const double from_s = as_seconds(books.from.time_since_epoch());
    const double to_s = as_seconds(books.until.time_since_epoch());
    const Axis x{.low = from_s, .high = to_s, .from = chart_left, .to = chart_right};
    const Axis y{.low = 0, .high = 1, .from = bottom, .to = top};
    Svg svg(chart_width, bottom + 34, "The waterfall over time");
    // Lowest first; the last of the idle classes fills up what is left, above all others.
    constexpr std::size_t held = Books::levels - 1;
    std::vector<std::vector<std::pair<double, double>>> tops(shades.size());
    for (std::size_t bin = 0; bin < books.over_time.size(); ++bin) {
        const Books::Levels& levels = books.over_time[bin];
        ChipTime all = 0;
        for (const ChipTime amount : levels)
            all += amount;
        if (all == 0) continue;
        const Time begin = books.from + books.bin * static_cast<std::int64_t>(bin);
        const Time end = std::min(books.until, begin + books.bin);
        ChipTime sum = 0;
        for (std::size_t s = 2; s < shades.size(); ++s) {
            if (s == 2) {
                sum += levels[held];
            } else {
                for (auto i = static_cast<std::size_t>(shades[s].first);
                     i <= static_cast<std::size_t>(shades[s].last);
                     ++i)
                    sum += levels[i];
            }
            const double height = y.at(tenancy::share_of(sum, all));
            auto& points = tops[s];
            if (points.empty() || points.back().second != height) {
                points.emplace_back(x.at(as_seconds(begin.time_since_epoch())), height);
                points.emplace_back(x.at(as_seconds(end.time_since_epoch())), height);
            } else {
                points.back().first = x.at(as_seconds(end.time_since_epoch()));
            }
        }
    }
    // What lies behind is covered by what stands before it.
    for (std::size_t s = shades.size(); s-- > 2;) {
        const Shade& shade = shades[s];
        const bool any =
            s == 2 ? books.total.held() > 0 : books.total.sum(shade.first, shade.last) > 0;
        if (any) svg.area(tops[s], bottom, s == 2 ? shades[0].css : shade.css);
    }
    svg.y_axis(y,
               {{0, "0 %"}, {0.25, "25 %"}, {0.5, "50 %"}, {0.75, "75 %"}, {1, "100 %"}},
               chart_left,
               chart_right);
    svg.x_axis(x, timeline_ticks(from_s, to_s, zero_utc), bottom, bottom);
    return svg.finish();
}

void waterfall_section(HtmlPage& page, const Trace& trace, const Simulation& result) {
    const Books& books = result.books;
    if (books.pools.empty() || books.total.total() == 0) return;
    const std::string hours = hours_name(books.unit, trace.classic);
    const ChipTime peak = books.total.total();
    const bool unknown = books.total[Loss::running] > 0;
    page.section(
        "Where the compute went",
        fmt::format(
            "All that the fleet could have given from the first submission to the last end, "
            "{} {}, and what became of it. Every chip-second is in exactly one class, and "
            "the classes sum to the peak exactly.{}",
            hours_text(peak),
            hours,
            unknown ? " How efficiently jobs ran is not known to a replay: what they ran on "
                      "counts as running."
                    : ""));
    page.raw(waterfall_chart(books.total, hours));
    std::vector<Row> rows;
    for (const WaterfallLine& line : lines_of(books.total)) {
        rows.push_back({line.level ? line.name : "\u2212 " + line.name,
                        hours_text(line.amount),
                        percent_text(line.amount, peak)});
    }
    page.twin({"", hours, "of the peak"}, rows);
    if (books.sites.size() > 1) books_table(page, "site", hours, books.sites);
    if (books.pools.size() > 1) books_table(page, "pool", hours, books.pools);
    if (books.tenants.size() > 1) books_table(page, "tenant", hours, books.tenants);
    page.end_section();

    if (books.over_time.empty()) return;
    page.section("The waterfall over time",
                 "Of all chips at every moment: held by jobs, and why the others were idle.");
    Losses shown = books.total;
    shown[Loss::running] = books.total.held();
    for (const Loss loss : {Loss::plan, Loss::kernel, Loss::useful})
        shown[loss] = 0;
    page.raw("<div class=\"key\">");
    page.add("<span><i class=\"{}\"></i>held by jobs</span>", shades[0].css);
    for (std::size_t s = 3; s < shades.size(); ++s) {
        if (shown.sum(shades[s].first, shades[s].last) == 0) continue;
        page.add("<span><i class=\"{}\"></i>{}</span>", shades[s].css, shades[s].name);
    }
    page.raw("</div>\n");
    page.raw(waterfall_over_time(books, trace.zero_utc));
    page.end_section();
}

std::string tenants_chart(const Books& books, std::size_t rows_max) {
    constexpr double row = 22;
    std::vector<const Books::Row*> rows;
    for (const Books::Row& tenant : books.tenants)
        if (tenant.losses.total() > 0) rows.push_back(&tenant);
    std::stable_sort(rows.begin(), rows.end(), [](const Books::Row* a, const Books::Row* b) {
        return a->losses.total() > b->losses.total();
    });
    if (rows.size() > rows_max) rows.resize(rows_max);
    if (rows.empty()) return {};
    const ChipTime whole = books.total.held();
    const Axis x{.low = 0,
                 .high = static_cast<double>(rows.front()->losses.total()),
                 .from = names_end + 10,
                 .to = bars_end};
    Svg svg(chart_width, 8 + row * static_cast<double>(rows.size()) + 4, "Shares of tenants");
    double y = 8;
    for (const Books::Row* tenant : rows) {
        const std::string name = tenant->name.empty() ? "(not named)" : tenant->name;
        const std::string share = percent_text(tenant->losses.total(), whole);
        svg.text(names_end, y + row * 0.66, name.substr(0, 26), "label end");
        ChipTime sum = 0;
        for (const Shade& shade : {shades[0], shades[1], shades[2]}) {
            const ChipTime part = tenant->losses.sum(shade.first, shade.last);
            if (part == 0) continue;
            const double from = x.at(static_cast<double>(sum));
            sum += part;
            svg.rect(from,
                     y + 3,
                     std::max(1.0, x.at(static_cast<double>(sum)) - from),
                     row - 6,
                     shade.css,
                     fmt::format("{}: {} {}", name, percent_text(part, whole), shade.name));
        }
        svg.text(x.at(static_cast<double>(sum)) + 8, y + row * 0.66, share, "label");
        y += row;
    }
    return svg.finish();
}

void waterfalls_section(HtmlPage& page, const std::vector<RunSummary>& runs) {
    constexpr double row = 25;
    if (std::any_of(runs.begin(), runs.end(), [](const RunSummary& run) {
            return run.books.total.total() == 0;
        })) {
        return;
    }
    page.section("Where the compute went",
                 "All that the fleet of each run could have given until its last end, and what "
                 "became of it. Runs that end at different times have different peaks.");
    std::vector<const Losses*> all;
    for (const RunSummary& run : runs)
        all.push_back(&run.books.total);
    legend(page, all);
    Svg svg(
        chart_width, 8 + row * static_cast<double>(runs.size()) + 4, "The waterfall of each run");
    const Axis x{.low = 0, .high = 1, .from = names_end + 10, .to = chart_right};
    double y = 8;
    for (const RunSummary& run : runs) {
        const Losses& its = run.books.total;
        svg.text(names_end, y + row * 0.66, run.name.substr(0, 26), "label end");
        ChipTime sum = 0;
        for (const Shade& shade : shades) {
            const ChipTime part = its.sum(shade.first, shade.last);
            if (part == 0) continue;
            const double from = x.at(tenancy::share_of(sum, its.total()));
            sum += part;
            svg.rect(
                from,
                y + 3,
                x.at(tenancy::share_of(sum, its.total())) - from,
                row - 6,
                shade.css,
                fmt::format("{}: {} {}", run.name, percent_text(part, its.total()), shade.name));
        }
        y += row;
    }
    page.raw(svg.finish());
    Row titles{"of the peak"};
    for (const RunSummary& run : runs)
        titles.push_back(run.name);
    std::vector<Row> rows;
    for (std::size_t i = 0; i < tenancy::loss_count; ++i) {
        const auto loss = static_cast<Loss>(i);
        if (loss == tenancy::first_held) {
            Row line{"allocated"};
            for (const Losses* its : all)
                line.push_back(percent_text(its->held(), its->total()));
            rows.push_back(std::move(line));
        }
        if (std::all_of(
                all.begin(), all.end(), [loss](const Losses* its) { return (*its)[loss] == 0; })) {
            continue;
        }
        Row line{loss == Loss::running ? "running" : std::string(title_of(loss))};
        for (const Losses* its : all)
            line.push_back(percent_text((*its)[loss], its->total()));
        rows.push_back(std::move(line));
    }
    page.twin(titles, rows);
    page.end_section();
}

}  // namespace weir::sim
