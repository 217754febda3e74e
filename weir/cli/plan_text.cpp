#include "weir/cli/plan_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "weir/base/seconds.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/cli/print.hpp"
#include "weir/plan/interval.hpp"
#include "weir/plan/model_counts.hpp"
#include "weir/plan/search.hpp"

namespace weir::cli {
namespace {

using plan::MemoryPart;
using plan::Prediction;
using plan::Term;

constexpr double gib = 1024.0 * 1024 * 1024;

// What a term or part is, for those who do not know the word.
constexpr std::array<std::string_view, plan::term_count> term_meanings{
    "forward and backward, by the shape of each product",
    "scores, and their product with the values",
    "norms, activations, residuals: bound by bandwidth",
    "forward work done again in the backward pass",
    "all-gather and reduce-scatter inside layers, waited for",
    "keys and values passed around, waited for",
    "all-to-all of tokens to their experts, waited for",
    "activations sent between stages, waited for",
    "gradients reduced and weights gathered, waited for",
    "stages that wait for each other",
    "reads and writes weights and their moments",
    "starting kernels, the host, stragglers, each step's own",
};

}  // namespace

std::string number_text(double value) {
    if (std::abs(value) >= 99.95)
        return format_count(static_cast<std::uint64_t>(std::llround(std::min(value, 1e18))));
    std::string text = fmt::format("{:.{}f}", value, std::abs(value) < 9.995 ? 2 : 1);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text;
}

std::string large_text(double value) {
    // Of parameters and tokens a thousand million are a billion, and beyond T nobody has a letter.
    if (value >= 999.5e12) return number_text(value / 1e12) + " T";
    std::string text = format_rate(value, "");
    if (const auto giga = text.find('G'); giga != std::string::npos) text[giga] = 'B';
    while (text.back() == ' ')
        text.pop_back();
    return text;
}

std::string money_text(double amount, std::string_view currency) {
    return fmt::format(
        "{} {}", amount < 99.995 ? fmt::format("{:.2f}", amount) : number_text(amount), currency);
}

std::string range_text(double low_s, double high_s) {
    const std::string low = format_seconds(low_s);
    const std::string high = format_seconds(high_s);
    const auto unit = [](const std::string& text) { return text.substr(text.rfind(' ')); };
    const bool same = unit(low) == unit(high);
    return fmt::format("{} to {}", same ? low.substr(0, low.rfind(' ')) : low, high);
}

std::string gib_text(double bytes) {
    return fmt::format("{:.{}f} GiB", bytes / gib, bytes < 100 * gib ? 1 : 0);
}

std::string long_time_text(double seconds) {
    constexpr double century_s = 100.0 * 365 * 86'400;
    if (seconds > century_s) return "over 100 years";
    if (seconds > 2 * 86'400.0) return fmt::format("{:.1f} days", seconds / 86'400);
    return format_duration(Duration{std::llround(seconds * 1000)});
}

std::string chance_text(double probability) {
    if (probability < 0.01) return "< 1 %";
    if (probability > 0.99) return "> 99 %";
    return fmt::format("{:.0f} %", 100 * probability);
}

std::string parameters_text(const catalog::Model& model) {
    const plan::ParameterCount count = plan::count_parameters(model);
    if (!model.is_moe()) return large_text(count.total) + " parameters";
    return fmt::format(
        "{} parameters, {} for each token", large_text(count.total), large_text(count.active));
}

std::string job_line(const plan::TrainingJob& job, plan::Precision precision) {
    return fmt::format("{} ({}), {} of {} tokens a step, {}",
                       job.model.name,
                       parameters_text(job.model),
                       format_count(job.global_batch, "sequence"),
                       format_count(job.sequence),
                       name_of(precision));
}

std::string machine_line(const plan::Machine& machine, std::uint64_t chips) {
    return fmt::format(
        "{} {} ({}), {} to a node: {} GB/s inside over {}, {} GB/s between over {}",
        format_count(chips),
        machine.chip_name,
        gib_text(machine.memory_bytes),
        machine.chips_per_node,
        std::llround(machine.inside.bytes_per_s / 1e9),
        machine.inside.kind == "any" ? "links of no known kind" : machine.inside.kind,
        std::llround(machine.between.bytes_per_s / 1e9),
        machine.between.kind == "any" ? "a network of no known kind" : machine.between.kind);
}

std::string whole_text(const plan::Strategy& s) {
    std::string switches;
    const auto add = [&switches](bool on, std::string_view what) {
        if (on) switches += (switches.empty() ? "" : ", ") + std::string(what);
    };
    add(s.sequence_parallel && s.tp > 1, "sequence parallelism");
    add(s.ulysses && s.cp > 1, "context parallelism by all-to-all");
    add(s.deepep && s.ep > 1, "DeepEP");
    add(s.cuda_graphs, "CUDA graphs");
    add(!s.flash_attention, "no flash attention");
    if (s.recompute == plan::Recompute::selective) {
        std::string parts;
        const auto part = [&parts](bool on, std::string_view what) {
            if (on) parts += (parts.empty() ? "" : " and ") + std::string(what);
        };
        part(s.parts.attention, "attention");
        part(s.parts.norms, "norms");
        part(s.parts.activation, "activation");
        part(s.parts.mlp, "the feed-forward");
        part(s.parts.latent_up, "latent projections");
        part(s.parts.every_other_product, "every other product");
        add(!parts.empty(), "recompute of " + parts);
    }
    std::string overlaps;
    const auto overlap = [&overlaps](bool on, std::string_view what) {
        if (on) overlaps += (overlaps.empty() ? "" : " and ") + std::string(what);
    };
    overlap(s.overlap.grad_reduce, "gradients");
    overlap(s.overlap.param_gather, "weights");
    overlap(s.overlap.tensor, "tensor parallel");
    overlap(s.overlap.pipeline, "pipeline sends");
    overlap(s.overlap.experts, "experts");
    add(!overlaps.empty(), "overlap of " + overlaps);
    return text_of(s) + (switches.empty() ? "" : "; " + switches);
}

std::string PlanRows::text(std::size_t width) const {
    const auto at = [this](auto& list) {
        return list.begin() + static_cast<std::ptrdiff_t>(plan_at_);
    };
    std::vector<Column> columns = columns_;
    columns.insert(at(columns), {title_, false});
    TextTable whole(columns);
    TextTable without(columns_);
    for (const Row& row : rows_) {
        without.row(row.cells);
        std::vector<std::string> cells = row.cells;
        cells.insert(at(cells), row.plan);
        whole.row(std::move(cells));
    }
    const std::string full = whole.text();
    const auto lines_of = [](const std::string& text) {
        std::vector<std::string> lines;
        for (std::size_t begin = 0; begin < text.size();) {
            const std::size_t end = text.find('\n', begin);
            lines.push_back(text.substr(begin, end - begin));
            begin = end + 1;
        }
        return lines;
    };
    const std::vector<std::string> wide = lines_of(full);
    const bool fits = std::all_of(wide.begin(), wide.end(), [width](const std::string& line) {
        return display_width(line) <= width;
    });
    if (width == 0 || fits) return full;
    const std::vector<std::string> narrow = lines_of(without.text(width));
    constexpr std::size_t indent = 3;
    std::string text = narrow.front() + "\n";
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        text += narrow[i + 1] + "\n";
        if (!rows_[i].plan.empty())
            text += std::string(indent, ' ') + wrapped(rows_[i].plan, indent, width) + "\n";
    }
    return text;
}

std::string plans_table(const std::vector<plan::Plan>& plans,
                        const plan::TrainingJob& job,
                        const plan::Machine& machine,
                        plan::Precision asked,
                        std::size_t width) {
    PlanRows table({{"", true},
                    {"step", true},
                    {"90 % are", true},
                    {"tokens/s", true},
                    {"MFU", true},
                    {"memory", true},
                    {"risk", true}},
                   1,
                   "plan");
    std::size_t rank = 0;
    for (const plan::Plan& one : plans) {
        const Prediction& p = one.prediction;
        const plan::Interval interval = plan::interval_of(p, job, machine, one.strategy);
        const plan::Precision used = one.strategy.precision;
        table.row(
            {std::to_string(++rank),
             format_seconds(p.step_s),
             range_text(interval.low_s, interval.high_s),
             number_text(p.tokens_per_s),
             format_percent(p.mfu),
             gib_text(p.memory_total_bytes()),
             chance_text(plan::out_of_memory_probability(p, machine))},
            text_of(one.strategy) + (used == asked ? "" : fmt::format(", in {}", name_of(used))));
    }
    return table.text(width);
}

std::string time_table(const Prediction& prediction, std::size_t width) {
    const double least_s = prediction.step_s * 5e-5;
    const auto hidden_text = [&](double seconds) {
        return seconds > least_s ? format_seconds(seconds) : "";
    };
    TextTable table({{"time of a step"},
                     {"", true},
                     {"share", true},
                     {"hidden", true},
                     {"what it is", false, true}});
    for (std::size_t i = 0; i < plan::term_count; ++i) {
        const double seconds = prediction.term_s[i];
        if (seconds <= least_s && prediction.hidden_s[i] <= least_s) continue;
        table.row({std::string(name_of(static_cast<Term>(i))),
                   format_seconds(seconds),
                   format_percent(seconds / prediction.step_s),
                   hidden_text(prediction.hidden_s[i]),
                   std::string(term_meanings[i])});
    }
    const double hidden_s = prediction.hidden_total_s();
    table.row({"step",
               format_seconds(prediction.step_s),
               "100 %",
               hidden_text(hidden_s),
               hidden_s > least_s ? "hidden: beside computation, outside the sum" : ""});
    return table.text(width);
}

std::string memory_table(const Prediction& prediction,
                         const plan::Machine& machine,
                         std::size_t width) {
    TextTable table({{"memory of the fullest chip"}, {"", true}, {"of what it has", true}});
    const auto row = [&](std::string_view name, double bytes) {
        table.row(
            {std::string(name), gib_text(bytes), format_percent(bytes / machine.memory_bytes)});
    };
    for (std::size_t i = 0; i < plan::memory_part_count; ++i) {
        const auto part = static_cast<MemoryPart>(i);
        if (prediction.at(part) > 0)
            row(part == MemoryPart::reserve ? "reserve for fragmentation" : name_of(part),
                prediction.at(part));
    }
    row("all", prediction.memory_total_bytes());
    table.row({"it has",
               gib_text(machine.memory_bytes),
               fmt::format("risk: {}",
                           chance_text(plan::out_of_memory_probability(prediction, machine)))});
    return table.text(width);
}

std::string mfu_sentence(const Prediction& prediction,
                         const plan::Machine& machine,
                         const plan::Strategy& strategy) {
    return fmt::format(
        "MFU: {} of the model a step (products and the full square of attention, forward and "
        "backward, nothing counted twice for recomputation) over the dense {} peak of {} x {}",
        format_rate(prediction.model_flops, "FLOP"),
        name_of(strategy.precision),
        format_count(strategy.chips()),
        format_rate(machine.peak(strategy.precision), "FLOP/s"));
}

double useful_share_of(const plan::TrainingJob& job,
                       const plan::Machine& machine,
                       const plan::Strategy& strategy) {
    return plan::useful_share(job, machine, strategy.chips(), {.node_mtbf_s = machine.node_mtbf_s});
}

double seconds_to(double tokens,
                  const plan::TrainingJob& job,
                  const plan::Machine& machine,
                  const plan::Strategy& strategy,
                  const Prediction& prediction) {
    return tokens / prediction.tokens_per_s / useful_share_of(job, machine, strategy);
}

std::string goal_sentence(const plan::TrainingJob& job,
                          const plan::Machine& machine,
                          const plan::Strategy& strategy,
                          const Prediction& prediction) {
    // With a price alone, what so many tokens cost.
    const double tokens = job.tokens > 0 ? job.tokens : machine.price_per_chip_hour > 0 ? 1e9 : 0;
    if (tokens <= 0) return "";
    const double useful = useful_share_of(job, machine, strategy);
    const double seconds = seconds_to(tokens, job, machine, strategy, prediction);
    const plan::Interval interval = plan::interval_of(prediction, job, machine, strategy);
    const double low = seconds * interval.low_s / prediction.step_s;
    const double high = seconds * interval.high_s / prediction.step_s;
    const auto chips = static_cast<double>(strategy.chips());
    const std::string cost = cost_text(machine, chips, seconds);
    return fmt::format(
        "{} tokens take {} (90 % between {} and {}), {} chip-hours{}{}",
        large_text(tokens),
        long_time_text(seconds),
        long_time_text(low),
        long_time_text(high),
        number_text(seconds * chips / 3600),
        cost.empty() ? "" : ", " + cost,
        machine.node_mtbf_s > 0
            ? fmt::format("; {:.1f} % of the time is work, the rest checkpoints and failures",
                          100 * useful)
            : "");
}

}  // namespace weir::cli
