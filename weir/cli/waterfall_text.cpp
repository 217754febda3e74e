#include "weir/cli/waterfall_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "weir/base/text_table.hpp"
#include "weir/base/time.hpp"
#include "weir/sim/report_charts.hpp"
#include "weir/sim/report_waterfall.hpp"

namespace weir::cli {
namespace {

using tenancy::Books;
using tenancy::ChipTime;
using tenancy::Loss;
using tenancy::Losses;

std::string percent_text(ChipTime amount, ChipTime whole) {
    return fmt::format("{:.2f} %", tenancy::share_of(amount, whole) * 100);
}

std::string classes_json(const Losses& losses) {
    std::string text = "{";
    for (std::size_t i = 0; i < tenancy::loss_count; ++i) {
        text += fmt::format("{}\"{}\": {}",
                            i > 0 ? ", " : "",
                            name_of(static_cast<Loss>(i)),
                            tenancy::text_of(losses.of[i]));
    }
    return text + "}";
}

std::string rows_json(const std::vector<Books::Row>& rows) {
    std::string text = "[";
    for (const Books::Row& row : rows) {
        text += fmt::format(
            "{}\n      {{\"name\": {}, \"sum\": {}, \"classes\": {}}}",
            text.size() > 1 ? "," : "",
            nlohmann::json(row.name).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
            tenancy::text_of(row.losses.total()),
            classes_json(row.losses));
    }
    return text + "]";
}

// In quotes where a comma or a quote would be misread.
std::string csv_text(std::string_view text) {
    if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
    std::string quoted = "\"";
    for (const char c : text) {
        quoted += c;
        if (c == '"') quoted += c;
    }
    return quoted + "\"";
}

// What runs are compared by: the levels, and every class in which one of them has anything.
struct Share {
    std::string name;
    std::vector<std::string> of_run;
    double most = 0;
    bool level = false;
};

std::vector<Share> shares_of(const std::vector<sim::RunSummary>& runs) {
    std::vector<Share> shares;
    const auto add = [&](std::string name, bool level, auto amount) {
        Share share{.name = std::move(name), .of_run = {}, .level = level};
        for (const sim::RunSummary& run : runs) {
            const ChipTime part = amount(run.books.total);
            share.of_run.push_back(percent_text(part, run.books.total.total()));
            share.most = std::max(share.most, tenancy::share_of(part, run.books.total.total()));
        }
        if (level || share.most > 0) shares.push_back(std::move(share));
    };
    for (std::size_t i = 0; i < tenancy::loss_count; ++i) {
        const auto loss = static_cast<Loss>(i);
        if (loss == tenancy::first_held) {
            add("allocated", true, [](const Losses& its) { return its.held(); });
        }
        if (loss == Loss::plan) {
            add("running", true, [](const Losses& its) {
                return its.sum(Loss::plan, Loss::useful);
            });
        }
        if (loss == Loss::running) continue;  // a part of the level
        add(std::string(title_of(loss)), loss == Loss::useful, [loss](const Losses& its) {
            return its[loss];
        });
        if (loss == Loss::useful && shares.back().most == 0) shares.pop_back();
    }
    return shares;
}

}  // namespace

std::size_t widest_line(const std::string& table) {
    std::size_t widest = 0;
    for (std::size_t at = 0; at < table.size();) {
        const std::size_t end = std::min(table.find('\n', at), table.size());
        widest = std::max(widest, display_width(std::string_view(table).substr(at, end - at)));
        at = end + 1;
    }
    return widest;
}

std::string waterfall_table(const Books& books, bool classic) {
    const ChipTime peak = books.total.total();
    if (peak == 0) return {};
    TextTable table(
        {{"waterfall"}, {sim::hours_name(books.unit, classic), true}, {"of the peak", true}});
    for (const sim::WaterfallLine& line : sim::lines_of(books.total)) {
        table.row({line.level ? line.name : "  - " + line.name,
                   sim::number_text(tenancy::hours_of(line.amount)),
                   percent_text(line.amount, peak)});
    }
    return table.text();
}

std::string waterfalls_table(const std::vector<sim::RunSummary>& runs, std::size_t width) {
    if (std::any_of(runs.begin(), runs.end(), [](const sim::RunSummary& run) {
            return run.books.total.total() == 0;
        })) {
        return {};
    }
    std::vector<Share> shares = shares_of(runs);
    std::vector<Column> columns{{"waterfall, of the peak"}};
    for (std::size_t i = 0; i < runs.size(); ++i)
        columns.push_back({sim::title_of(runs, i), true});
    TextTable table(std::move(columns));
    for (const Share& share : shares) {
        std::vector<std::string> row{share.level ? share.name : "  - " + share.name};
        row.insert(row.end(), share.of_run.begin(), share.of_run.end());
        table.row(std::move(row));
    }
    if (const std::string text = table.text(); widest_line(text) <= width) return text;
    // The smallest classes give way.
    for (;;) {
        std::vector<Column> titles{{"waterfall, of the peak"}};
        for (const Share& share : shares)
            titles.push_back({share.level ? share.name : "- " + share.name, true});
        TextTable rows(std::move(titles));
        for (std::size_t i = 0; i < runs.size(); ++i) {
            std::vector<std::string> row{sim::title_of(runs, i)};
            for (const Share& share : shares)
                row.push_back(share.of_run[i]);
            rows.row(std::move(row));
        }
        const std::string text = rows.text();
        const auto least =
            std::min_element(shares.begin(), shares.end(), [](const Share& a, const Share& b) {
                return std::pair(a.level, a.most) < std::pair(b.level, b.most);
            });
        if (widest_line(text) <= width || least->level) return text;
        shares.erase(least);
    }
}

std::string waterfall_json(const Books& books) {
    return fmt::format(
        "{{\n"
        "    \"unit\": \"{}\",\n"
        "    \"from_s\": {},\n"
        "    \"until_s\": {},\n"
        "    \"sum\": {},\n"
        "    \"classes\": {},\n"
        "    \"sites\": {},\n"
        "    \"pools\": {},\n"
        "    \"tenants\": {}\n"
        "  }}",
        books.unit == tenancy::Unit::chips ? "chips" : "cpus",
        as_seconds(books.from.time_since_epoch()),
        as_seconds(books.until.time_since_epoch()),
        tenancy::text_of(books.total.total()),
        classes_json(books.total),
        rows_json(books.sites),
        rows_json(books.pools),
        rows_json(books.tenants));
}

std::string waterfall_csv_titles() {
    std::string line = "of,name,sum";
    for (std::size_t i = 0; i < tenancy::loss_count; ++i)
        line += "," + std::string(name_of(static_cast<Loss>(i)));
    return line + "\n";
}

std::string waterfall_csv_row(std::string_view of, std::string_view name, const Losses& losses) {
    std::string line =
        fmt::format("{},{},{}", of, csv_text(name), tenancy::text_of(losses.total()));
    for (const ChipTime amount : losses.of)
        line += "," + tenancy::text_of(amount);
    return line + "\n";
}

std::string waterfall_csv_books(const Books& books) {
    std::string text;
    for (const auto& [of, rows] :
         {std::pair{"site", &books.sites}, {"pool", &books.pools}, {"tenant", &books.tenants}}) {
        for (const Books::Row& row : *rows)
            text += waterfall_csv_row(of, row.name, row.losses);
    }
    return text + waterfall_csv_row("total", "", books.total);
}

}  // namespace weir::cli
