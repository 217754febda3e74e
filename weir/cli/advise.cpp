// `weir advise checkpoint`: how often a gang should save its work, and what that is worth.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "weir/base/text_table.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/cli/check.hpp"
#include "weir/cli/print.hpp"
#include "weir/fleet/fleet_file.hpp"
#include "weir/job/checkpoint_advice.hpp"

namespace weir::cli {
namespace {

Result<Duration> positive(std::string_view option, const std::string& text) {
    const auto duration = parse_duration(text);
    if (!duration) return fail(duration.error().at(option));
    if (*duration <= Duration{} || *duration >= forever) {
        return fail(Code::invalid, fmt::format("{}: '{}' has to be longer than 0", option, text));
    }
    return *duration;
}

Result<Duration> mtbf_in_fleet(const AdviseCheckpointOptions& options) {
    WEIR_TRY(const fleet::Fleet fleet, fleet::read_fleet(options.fleet));
    std::string names;
    for (const fleet::Pool& pool : fleet.pools) {
        names += (names.empty() ? "" : ", ") + pool.name;
        const bool only = options.pool.empty() && fleet.pools.size() == 1;
        if (!only && pool.name != options.pool) continue;
        if (pool.node_mtbf > Duration{}) return pool.node_mtbf;
        return fail(Code::invalid,
                    fmt::format("{}: pool {} does not say how often its nodes fail; write "
                                "reliability: {{mtbf: 5y/node, repair: 6h}}",
                                options.fleet,
                                pool.name));
    }
    return fail(
        Code::not_found,
        options.pool.empty()
            ? fmt::format("{}: has several pools; --pool takes one of {}", options.fleet, names)
            : fmt::format(
                  "--pool: {} has no pool '{}'; it has {}", options.fleet, options.pool, names));
}

Result<Duration> node_mtbf(const AdviseCheckpointOptions& options) {
    if (!options.fleet.empty() && !options.mtbf.empty()) {
        return fail(Code::invalid, "--mtbf and --fleet both say how often a node fails; give one");
    }
    if (!options.fleet.empty()) return mtbf_in_fleet(options);
    constexpr std::string_view each = "/node";
    const std::string_view text = options.mtbf;
    if (text.size() <= each.size() || text.substr(text.size() - each.size()) != each) {
        return fail(Code::invalid,
                    fmt::format("--mtbf: '{}' is not a mean time between failures of a node, such "
                                "as 5y/node; --fleet FILE takes it from a fleet file instead",
                                text));
    }
    return positive("--mtbf", std::string(text.substr(0, text.size() - each.size())));
}

struct Row {
    std::string rule;
    Duration every{};
    double useful = 0;
};

// Days of 24 h on which the gang works for nothing, a year.
std::string lost_text(double useful) {
    return fmt::format("{:.1f} days", (1 - useful) * 365);
}

Result<void> advise(const AdviseCheckpointOptions& options) {
    if (options.nodes == 0) return fail(Code::invalid, "--nodes: 0; a gang has at least one node");
    WEIR_TRY(const Duration node, node_mtbf(options));
    job::CheckpointCosts costs;
    costs.mtbf = job::mtbf_of_gang(node, options.nodes);
    WEIR_TRY(costs.cost, positive("--cost", options.cost));
    if (!options.restart.empty()) {
        WEIR_TRY(costs.restart, positive("--restart", options.restart));
    }
    std::vector<Row> rows;
    const auto add = [&](std::string rule, Duration every) {
        rows.push_back({std::move(rule), every, job::useful_share(every, costs)});
    };
    add("advised (Daly)", job::daly_interval(costs.cost, costs.mtbf));
    add("first order (Young)", job::young_interval(costs.cost, costs.mtbf));
    if (!options.every.empty()) {
        WEIR_TRY(const Duration every, positive("--every", options.every));
        add("given", every);
    }
    if (options.json) {
        nlohmann::ordered_json json;
        json["nodes"] = options.nodes;
        json["node_mtbf_ms"] = node.count();
        json["gang_mtbf_ms"] = costs.mtbf.count();
        json["cost_ms"] = costs.cost.count();
        json["restart_ms"] = costs.restart.count();
        constexpr std::string_view names[] = {"daly", "young", "given"};
        for (std::size_t i = 0; i < rows.size(); ++i) {
            json["intervals"].push_back({{"rule", names[i]},
                                         {"every_ms", rows[i].every.count()},
                                         {"useful_share", rows[i].useful}});
        }
        out_json(json.dump(2));
        return {};
    }
    out(fmt::format("{} fail once in {}, all together\n",
                    format_count(options.nodes, "node"),
                    format_duration(costs.mtbf)));
    TextTable table({{"interval"}, {"every", true}, {"useful", true}, {"lost a year", true}});
    for (const Row& row : rows) {
        table.row({row.rule,
                   format_duration(row.every),
                   fmt::format("{:.2f} %", row.useful * 100),
                   lost_text(row.useful)});
    }
    out(table.text(output_width()));
    return {};
}

}  // namespace

int advise_checkpoint(const AdviseCheckpointOptions& options) {
    const Result<void> done = advise(options);
    return done ? status_ok : report(done.error());
}

}  // namespace weir::cli
