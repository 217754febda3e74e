#include "weir/cli/check.hpp"

#include <fmt/format.h>

#include <string>

#include <nlohmann/json.hpp>

#include "weir/audit/checker.hpp"
#include "weir/audit/log_format.hpp"
#include "weir/base/text_table.hpp"
#include "weir/base/units.hpp"
#include "weir/cli/print.hpp"
#include "weir/cli/progress.hpp"
#include "weir/sim/line_reader.hpp"

namespace weir::cli {
namespace {

using audit::Excuse;
using audit::Rule;

// A run of nodes is a few bytes, but a gang may hold a hundred thousand of them.
constexpr sim::LineLimits log_limits{.bytes_max = std::uint64_t{64} << 30,
                                     .line_max = std::size_t{16} << 20};

Result<audit::Report> judge(const CheckLogOptions& options) {
    WEIR_TRY(sim::LineReader lines, sim::LineReader::open(options.log, log_limits));
    audit::Checker checker;
    constexpr std::uint64_t whole = 1000;  // progress in thousandths
    Progress progress("checking", whole, "", options.json);
    std::string_view line;
    for (;;) {
        WEIR_TRY(const bool more, lines.next(line));
        if (!more) break;
        WEIR_TRY(const audit::Record record, audit::decode(line, lines.here()));
        checker.add(record, lines.line_number());
        if ((lines.line_number() & 0xFFF) == 0) {
            progress.at(static_cast<std::uint64_t>(lines.share_read() * double{whole}));
        }
    }
    progress.finish();
    if (lines.line_number() == 0) {
        return fail(Code::invalid, options.log + ": is empty; an event log begins with a run");
    }
    return checker.finish();
}

std::string json_text(const CheckLogOptions& options, const audit::Report& report) {
    nlohmann::ordered_json json;
    json["log"] = options.log;
    json["clean"] = report.clean();
    json["lines"] = report.lines;
    json["runs"] = report.runs;
    json["jobs"] = report.jobs;
    json["starts"] = report.starts;
    json["ends"] = report.ends;
    json["rules"] = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < audit::rules; ++i) {
        const auto rule = static_cast<Rule>(i);
        const audit::Verdict& verdict = report.of(rule);
        nlohmann::ordered_json one;
        one["rule"] = name_of(rule);
        one["says"] = sentence_of(rule);
        one["checked"] = verdict.checked;
        one["violated"] = verdict.violated;
        one["first"] = nlohmann::ordered_json::array();
        for (const audit::Violation& violation : verdict.first) {
            one["first"].push_back({{"line", violation.line}, {"sentence", violation.sentence}});
        }
        json["rules"].push_back(std::move(one));
    }
    json["not_checked"] = nlohmann::ordered_json::array();
    for (const audit::Unsaid& unsaid : report.unsaid)
        json["not_checked"].push_back({{"line", unsaid.line}, {"sentence", unsaid.sentence}});
    json["excused"] = nlohmann::ordered_json::object();
    for (std::size_t i = 1; i < audit::excuses; ++i) {
        json["excused"][std::string(name_of(static_cast<Excuse>(i)))] = report.excused[i];
    }
    // Texts: they may be wider than a number of 64 bits.
    json["waterfalls"] = nlohmann::ordered_json::array();
    for (const audit::Split& split : report.waterfalls) {
        nlohmann::ordered_json classes;
        for (std::size_t i = 0; i < audit::ways; ++i)
            classes[std::string(name_of(static_cast<audit::Went>(i)))] =
                audit::text_of(split.of[i]);
        json["waterfalls"].push_back(std::move(classes));
    }
    return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

// Of one run, by the names of the classes, as the log has them.
std::string waterfall_text(const audit::Split& split) {
    const auto peak = static_cast<double>(split.total());
    if (peak == 0) return {};
    TextTable table({{"waterfall, counted again"}, {"of the peak", true}});
    for (std::size_t i = 0; i < audit::ways; ++i) {
        if (split.of[i] == 0) continue;
        table.row({std::string(name_of(static_cast<audit::Went>(i))),
                   fmt::format("{:.2f} %", 100 * static_cast<double>(split.of[i]) / peak)});
    }
    return table.text();
}

std::string table_text(const audit::Report& report) {
    TextTable table({{"rule"}, {"checked", true}, {"violated", true}, {"says", false, true}});
    for (std::size_t i = 0; i < audit::rules; ++i) {
        const auto rule = static_cast<Rule>(i);
        const audit::Verdict& verdict = report.of(rule);
        table.row({std::string(name_of(rule)),
                   format_count(verdict.checked),
                   format_count(verdict.violated),
                   std::string(sentence_of(rule))});
    }
    return table.text(output_width());
}

}  // namespace

int check_log(const CheckLogOptions& options) {
    const Result<audit::Report> judged = judge(options);
    if (!judged) return cli::report(judged.error());
    const audit::Report& report = *judged;
    if (options.json) {
        out_json(json_text(options, report));
        return report.clean() ? status_ok : status_failed;
    }
    out(fmt::format("{}: {}, {}, {}, {}\n",
                    options.log,
                    format_count(report.lines, "line"),
                    format_count(report.jobs, "job"),
                    format_count(report.starts, "start"),
                    format_count(report.ends, "end")));
    out(table_text(report));
    for (const audit::Unsaid& unsaid : report.unsaid)
        out(fmt::format("{}:{}: {}: {}\n",
                        options.log,
                        unsaid.line,
                        paint("not checked", Tone::busy),
                        unsaid.sentence));
    for (const audit::Split& split : report.waterfalls)
        out(waterfall_text(split));
    for (std::size_t i = 1; i < audit::excuses; ++i) {
        if (report.excused[i] == 0) continue;
        out(fmt::format("{} not kept for a listed excuse: {}\n",
                        format_count(report.excused[i], "promise"),
                        name_of(static_cast<Excuse>(i))));
    }
    for (std::size_t i = 0; i < audit::rules; ++i) {
        const audit::Verdict& verdict = report.verdicts[i];
        for (const audit::Violation& violation : verdict.first) {
            out(fmt::format("{}:{}: {}: {}\n",
                            options.log,
                            violation.line,
                            paint(name_of(static_cast<Rule>(i)), Tone::bad),
                            violation.sentence));
        }
        if (verdict.violated > verdict.first.size()) {
            out(fmt::format("{}: {}: {} more\n",
                            options.log,
                            name_of(static_cast<Rule>(i)),
                            format_count(verdict.violated - verdict.first.size())));
        }
    }
    if (report.clean()) {
        out(paint(report.unsaid.empty() ? "every rule was kept"
                                        : "every rule was kept, as far as the log shows",
                  Tone::good) +
            "\n");
    }
    return report.clean() ? status_ok : status_failed;
}

}  // namespace weir::cli
