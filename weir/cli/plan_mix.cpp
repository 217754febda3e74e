// `weir plan` on several kinds of chip: one job on all of them together, and whether that pays.
#include <fmt/format.h>

#include <algorithm>

#include "weir/base/units.hpp"
#include "weir/cli/plan_answer.hpp"
#include "weir/cli/plan_text.hpp"
#include "weir/cli/print.hpp"

namespace weir::cli {

Result<void> mix(PlanAnswer& answer) {
    plan::MixedOptions options;
    options.search = answer.question.search;
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

std::string mixed_text(const PlanAnswer& answer, std::size_t width) {
    std::string text = paint("all together", Tone::strong) + "\n";
    text += wrapped(answer.verdict, 0, width) + "\n";
    if (!answer.mixed) return text;
    PlanRows table({{"way"},
                    {"chips"},
                    {"sequences", true},
                    {"layers", true},
                    {"step", true},
                    {"between kinds", true},
                    {"tokens/s", true}},
                   4,
                   "plan");
    for (const auto* way : {&answer.mixed->alone, &answer.mixed->replicas, &answer.mixed->stages}) {
        if (!way->has_value()) continue;
        const plan::MixedPlan& mixed = **way;
        bool first = true;
        for (const plan::MixedPlan::Share& share : mixed.shares) {
            const plan::MixedPart& part = answer.parts[share.part];
            table.row({first ? std::string(name_of(mixed.mix)) : "",
                       fmt::format("{} {}", format_count(part.chips), part.machine.chip_name),
                       format_count(share.sequences),
                       format_count(share.layers),
                       first ? step_text(mixed.step_s) : "",
                       first ? step_text(mixed.between_s) : "",
                       first ? format_count(static_cast<std::uint64_t>(mixed.tokens_per_s)) : ""},
                      text_of(share.strategy));
            first = false;
        }
    }
    return text + "\n" + table.text(width);
}

}  // namespace weir::cli
