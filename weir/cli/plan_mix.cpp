// `weir plan` on several kinds of chip: one job on all of them together, and whether that pays.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "weir/base/seconds.hpp"
#include "weir/base/units.hpp"
#include "weir/cli/plan_answer.hpp"
#include "weir/cli/plan_text.hpp"
#include "weir/cli/print.hpp"

namespace weir::cli {

Result<void> mix(PlanAnswer& answer) {
    plan::MixedOptions options;
    options.search = answer.question.search;
    options.risk = answer.question.memory.risk;
    for (const PlanPool& pool : answer.question.pools) {
        answer.parts.push_back({pool.machine, pool.chips});
        // A node that fails stops all: the pool whose nodes fail most often counts.
        double& mtbf_s = options.search.failures.node_mtbf_s;
        if (pool.node_mtbf_s > 0)
            mtbf_s = mtbf_s > 0 ? std::min(mtbf_s, pool.node_mtbf_s) : pool.node_mtbf_s;
        std::erase_if(options.search.precisions,
                      [&](plan::Precision one) { return pool.machine.peak(one) <= 0; });
    }
    if (options.search.precisions.empty()) {
        answer.verdict = "no mix: the chips have no precision in common that keeps what was asked";
        return {};
    }
    auto found = plan::search_mixed(answer.question.job, answer.parts, options);
    if (!found) return fail(found.error().at("--chips"));
    answer.verdict = found->verdict(answer.parts, options.search);
    answer.mixed = std::move(*found);
    return {};
}

std::vector<MixedTable> mixed_tables(const PlanAnswer& answer) {
    MixedTable ways{{{"way"},
                     {"step", true},
                     {"90 % are", true},
                     {"between kinds", true},
                     {"tokens/s", true},
                     {"risk", true}}};
    MixedTable shares{{{"way"},
                       {"chips"},
                       {"sequences", true},
                       {"micro-batches", true},
                       {"layers", true},
                       {"memory", true},
                       {"of", true},
                       {"risk", true},
                       {"plan", false, true}}};
    if (!answer.mixed) return {};
    for (const auto* way : {&answer.mixed->alone, &answer.mixed->replicas, &answer.mixed->stages}) {
        if (!way->has_value()) continue;
        const plan::MixedPlan& mixed = **way;
        const plan::Interval interval = plan::interval_of(mixed, answer.question.job, answer.parts);
        std::string name(name_of(mixed.mix));
        ways.rows.push_back({name,
                             format_seconds(mixed.step_s),
                             range_text(interval.low_s, interval.high_s),
                             format_seconds(mixed.between_s),
                             number_text(mixed.tokens_per_s),
                             chance_text(plan::out_of_memory_probability(mixed, answer.parts))});
        for (const plan::MixedPlan::Share& share : mixed.shares) {
            const plan::MixedPart& part = answer.parts[share.part];
            shares.rows.push_back(
                {std::exchange(name, ""),
                 fmt::format("{} {}", format_count(part.chips), part.machine.chip_name),
                 format_count(share.sequences),
                 fmt::format(
                     "{} of {}", format_count(share.micro_batches()), share.strategy.micro_batch),
                 format_count(share.layers),
                 gib_text(share.prediction.memory_total_bytes()),
                 gib_text(part.machine.memory_bytes),
                 chance_text(plan::out_of_memory_probability(share.prediction, part.machine)),
                 text_of(share.strategy)});
        }
    }
    return {std::move(ways), std::move(shares)};
}

std::string mixed_text(const PlanAnswer& answer, std::size_t width) {
    std::string text = paint("all together", Tone::strong) + "\n";
    text += wrapped(answer.verdict, 0, width) + "\n";
    for (const MixedTable& one : mixed_tables(answer)) {
        if (!one.columns.back().elastic) {
            TextTable table(one.columns);
            for (const std::vector<std::string>& row : one.rows)
                table.row(row);
            text += "\n" + table.text(width);
            continue;
        }
        const std::size_t last = one.columns.size() - 1;
        PlanRows table(
            {one.columns.begin(), one.columns.end() - 1}, last, one.columns.back().title);
        for (const std::vector<std::string>& row : one.rows)
            table.row({row.begin(), row.end() - 1}, row.back());
        text += "\n" + table.text(width);
    }
    const MemoryPromise& memory = answer.question.memory;
    if (const std::string promise = memory.text(); answer.mixed && !promise.empty()) {
        text +=
            "\n" +
            wrapped(
                "plans " + promise + (memory.risk > 0 ? ", of all kinds together" : ""), 0, width) +
            "\n";
    }
    return text;
}

}  // namespace weir::cli
