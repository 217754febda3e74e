#include "weir/cli/plan_question.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "weir/base/money.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/catalog/hf_config.hpp"
#include "weir/catalog/only_chip.hpp"
#include "weir/cli/plan_text.hpp"
#include "weir/cli/print.hpp"
#include "weir/fleet/fleet_file.hpp"
#include "weir/plan/launch.hpp"

namespace weir::cli {
namespace {

// Steps of large runs are a few million tokens; where nobody says, this is counted on.
constexpr std::uint32_t usual_tokens_per_step = 1U << 22;
constexpr std::uint32_t usual_sequence = 4096;
constexpr std::uint64_t chips_max = 10'000'000;

constexpr std::array launched_frameworks{plan::Framework::megatron_lm,
                                         plan::Framework::deepspeed,
                                         plan::Framework::mindspeed,
                                         plan::Framework::torchtitan};

std::optional<std::uint64_t> whole(std::string_view text) {
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, value);
    if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
    return value;
}

// What the nodes of a pool say of the machine.
const fleet::Pool* pool_of(const fleet::Fleet& fleet, const std::string& name) {
    for (const fleet::Pool& pool : fleet.pools)
        if (pool.name == name) return &pool;
    return nullptr;
}

std::string names_of(const fleet::Fleet& fleet) {
    std::string names;
    for (const fleet::Pool& pool : fleet.pools)
        names += (names.empty() ? "" : ", ") + pool.name;
    return names;
}

void set_price(plan::Machine& machine, const Price& price) {
    machine.price_per_chip_hour = static_cast<double>(price.of_chip_hour.micros) / 1e6;
    machine.currency = std::string(price.of_chip_hour.currency.text());
}

class Asking {
public:
    explicit Asking(const PlanOptions& options) : options_(options) {}

    Result<PlanQuestion> question() {
        WEIR_CHECK(ask_job());
        WEIR_CHECK(ask_pools());
        WEIR_CHECK(ask_search());
        return std::move(question_);
    }

    Result<std::vector<PlanPool>> pools() {
        WEIR_CHECK(ask_pools());
        return std::move(question_.pools);
    }

private:
    Result<void> ask_job() {
        plan::TrainingJob& job = question_.job;
        WEIR_TRY(job.model, plan_model(options_.model));
        job.sequence = options_.sequence;
        if (job.sequence == 0) {
            job.sequence = job.model.sequence > 0 ? std::min(job.model.sequence, usual_sequence)
                                                  : usual_sequence;
            question_.notes.push_back(fmt::format("--sequence: {} tokens, as nothing else was said",
                                                  format_count(job.sequence)));
        }
        const std::uint32_t positions = job.model.learned_positions;
        if (positions > 0 && job.sequence > positions) {
            return fail(Code::invalid,
                        fmt::format("--sequence {}: {} has {} learned positions; take at most so "
                                    "many",
                                    job.sequence,
                                    job.model.name,
                                    format_count(positions)));
        }
        job.global_batch = options_.global_batch;
        if (job.global_batch == 0) {
            job.global_batch = std::max(1U, usual_tokens_per_step / job.sequence);
            question_.notes.push_back(
                fmt::format("--global-batch: {}, {} tokens a step, as nothing else was said",
                            format_count(job.global_batch, "sequence"),
                            large_text(double{1} * job.global_batch * job.sequence)));
        }
        if (!options_.tokens.empty()) {
            WEIR_TRY(job.tokens, tokens_from_text(options_.tokens));
        }
        return {};
    }

    Result<void> ask_pools() {
        WEIR_TRY(const catalog::Catalog catalog, catalog::catalog_with(options_.catalogs));
        std::optional<fleet::Fleet> fleet;
        if (!options_.fleet.empty()) {
            WEIR_TRY(fleet, fleet::read_fleet(options_.fleet));
        }
        if (options_.chips.empty()) {
            return fail(Code::invalid,
                        "--chips: say which and how many, as h100-sxm-80g=64; `weir chips` lists "
                        "those that are known");
        }
        if (fleet &&
            std::none_of(options_.chips.begin(), options_.chips.end(), [&](const auto& asked) {
                return pool_of(*fleet, asked.substr(0, asked.find('='))) != nullptr;
            })) {
            return fail(Code::invalid,
                        fmt::format("--fleet {}: --chips names none of its pools, which are {}",
                                    options_.fleet,
                                    names_of(*fleet)));
        }
        for (const std::string& asked : options_.chips) {
            const auto equals = asked.find('=');
            PlanPool pool;
            pool.name = asked.substr(0, equals);
            if (pool.name.empty()) {
                return fail(Code::invalid,
                            fmt::format("--chips: '{}' names no chip or pool; write POOL=N, as "
                                        "h100-sxm-80g=64",
                                        asked));
            }
            for (const PlanPool& known : question_.pools) {
                if (known.name != pool.name) continue;
                return fail(
                    Code::invalid,
                    fmt::format("--chips: {} stands there twice; say how many in all", pool.name));
            }
            if (equals != std::string::npos && !options_.scale.empty()) {
                return fail(
                    Code::invalid,
                    fmt::format(
                        "--chips {0}: --scale says how many; write {1} alone", asked, pool.name));
            }
            if (equals != std::string::npos) {
                const auto count = whole(std::string_view(asked).substr(equals + 1));
                if (!count || *count == 0 || *count > chips_max) {
                    return fail(Code::invalid,
                                fmt::format("--chips {}: '{}' is no number of chips from 1 to {}",
                                            asked,
                                            asked.substr(equals + 1),
                                            format_count(chips_max)));
                }
                pool.chips = *count;
            }
            const fleet::Pool* there = fleet ? pool_of(*fleet, pool.name) : nullptr;
            WEIR_CHECK(add(std::move(pool), there, fleet ? &*fleet : nullptr, catalog));
        }
        return {};
    }

    Result<void> add(PlanPool pool,
                     const fleet::Pool* there,
                     const fleet::Fleet* fleet,
                     const catalog::Catalog& catalog) {
        const std::string chip_name = there != nullptr ? there->chip : pool.name;
        if (chip_name.empty()) {
            return fail(Code::not_found,
                        fmt::format("--chips {}: the pool has no chips", pool.name));
        }
        const auto chip = catalog::only_chip(catalog, chip_name);
        if (!chip) {
            std::string pools;
            if (fleet != nullptr && there == nullptr) {
                pools = fmt::format("; the pools of {} are {}", options_.fleet, names_of(*fleet));
            }
            return fail(chip.error().code,
                        fmt::format("--chips {}: {}; `weir chips` lists those that are known{}",
                                    pool.name,
                                    chip.error().message,
                                    pools));
        }
        ascend_ = ascend_ && (*chip)->vendor == "Huawei";
        plan::MachineOptions machine_options;
        if (there != nullptr) {
            machine_options.chips_per_node = there->chips_per_node;
            const std::uint64_t in_pool = std::uint64_t{there->nodes} * there->chips_per_node;
            if (pool.chips == 0) pool.chips = in_pool;
            if (pool.chips > in_pool) {
                return fail(Code::invalid,
                            fmt::format("--chips {}={}: the pool has {} chips",
                                        pool.name,
                                        pool.chips,
                                        format_count(in_pool)));
            }
            pool.node_mtbf_s = as_seconds(there->node_mtbf);
        }
        const bool open = !options_.scale.empty() || !options_.read.empty() || options_.serve;
        if (pool.chips == 0 && !open) {
            return fail(Code::invalid,
                        fmt::format("--chips {0}: say how many, as {0}=64", pool.name));
        }
        auto machine = plan::machine_of(**chip, machine_options);
        if (!machine) return fail(machine.error().at("--chips"));
        pool.machine = std::move(*machine);
        if (there != nullptr) {
            for (const fleet::Site& site : fleet->sites) {
                if (site.name != there->site) continue;
                const auto price = site.price.find(there->chip);
                if (price != site.price.end()) set_price(pool.machine, price->second);
            }
        }
        if (!options_.price.empty()) {
            const auto price = parse_price(options_.price);
            if (!price) return fail(price.error().at("--price"));
            set_price(pool.machine, *price);
        }
        if (!options_.mtbf.empty()) {
            constexpr std::string_view each = "/node";
            const std::string& text = options_.mtbf;
            const bool ends = text.size() > each.size() &&
                              text.compare(text.size() - each.size(), each.size(), each) == 0;
            const auto mtbf = parse_duration(ends ? text.substr(0, text.size() - each.size()) : "");
            if (!mtbf || *mtbf <= Duration{}) {
                return fail(Code::invalid,
                            fmt::format("--mtbf: '{}' is not a mean time between failures of a "
                                        "node, such as 5y/node",
                                        text));
            }
            pool.node_mtbf_s = as_seconds(*mtbf);
            // A job that cannot even restart between two failures of one node does no work.
            const double least_s = plan::Failures{}.restart_s;
            if (pool.node_mtbf_s <= least_s) {
                return fail(Code::invalid,
                            fmt::format("--mtbf: {} is less than a restart takes ({:.0f} s); say "
                                        "more",
                                        text,
                                        least_s));
            }
        }
        pool.machine.node_mtbf_s = pool.node_mtbf_s;
        question_.pools.push_back(std::move(pool));
        return {};
    }

    // That of the launch, or what else was asked for, or what people use on these chips.
    [[nodiscard]] Result<plan::Framework> framework_asked() const {
        const std::string& asked = !options_.framework.empty() ? options_.framework
                                   : !options_.emit.empty()    ? options_.emit
                                   : ascend_                   ? "mindspeed"
                                                               : "megatron-lm";
        if (!options_.emit.empty() && asked != options_.emit) {
            return fail(Code::invalid,
                        fmt::format("--emit {}: the plan is for --framework {}; give one of them",
                                    options_.emit,
                                    asked));
        }
        plan::Framework framework{};
        for (const auto one : launched_frameworks) {
            if (name_of(one) == asked) framework = one;
        }
        return framework;
    }

    Result<void> ask_search() {
        using plan::Precision;
        constexpr std::array<Precision, 4> precisions{
            Precision::bf16, Precision::fp8, Precision::fp16, Precision::fp32};
        for (const Precision one : precisions) {
            if (name_of(one) == options_.precision) question_.precision = one;
        }
        const Precision precision = question_.precision;
        // What is asked for is the least. BF16 keeps everything that FP8 does; BF16 and FP16 do
        // not keep each other's, and FP32 is never faster.
        std::vector<Precision> kept{precision};
        if (precision == Precision::fp8) kept.push_back(Precision::bf16);
        WEIR_TRY(plan::Framework framework, framework_asked());
        WEIR_CHECK(choose_launched(framework, kept));
        question_.search = plan::options_for(framework, question_.job.model);
        question_.search.precisions = std::move(kept);
        using plan::Objective;
        for (const Objective one :
             {Objective::time, Objective::cost, Objective::energy, Objective::goodput}) {
            if (name_of(one) == options_.objective) question_.search.objective = one;
        }
        // On all chips at once every plan costs its time; what is cheapest is a question of how
        // many.
        question_.search.fewer_chips = question_.search.objective != Objective::time;
        question_.search.top_k = options_.top;
        // Plans of which nothing can be said are none.
        plan::Strategy wide;
        while (wide.micro_batch <= question_.job.global_batch &&
               plan::check_extrapolation(question_.job, wide))
            wide.micro_batch *= 2;
        if (wide.micro_batch <= question_.job.global_batch)
            question_.search.micro_batch.high = std::max(1U, wide.micro_batch / 2);
        question_.memory = memory_promise(options_);
        question_.search.memory_margin = question_.memory.margin;
        for (const PlanPool& pool : question_.pools) {
            if (question_.search_on(pool).precisions.empty()) {
                std::string has;
                for (const Precision one : precisions) {
                    if (pool.machine.peak(one) > 0)
                        has += (has.empty() ? "" : ", ") + std::string(name_of(one));
                }
                return fail(Code::invalid,
                            fmt::format("--precision {}: {} has no units for it that the "
                                        "catalogue knows; it has {}",
                                        name_of(precision),
                                        pool.machine.chip_name,
                                        has));
            }
            if (pool.machine.peak(precision) <= 0) {
                question_.notes.push_back(
                    fmt::format("--precision {}: {} has no units for it, so "
                                "plans are in {}",
                                name_of(precision),
                                pool.machine.chip_name,
                                name_of(question_.search_on(pool).precisions.front())));
            }
            WEIR_CHECK(can_count(pool));
            // So far beyond what was measured that a search would be for nothing.
            plan::Strategy widest;
            widest.dp = static_cast<std::uint32_t>(std::max<std::uint64_t>(1, pool.chips));
            WEIR_CHECK(plan::check_extrapolation(question_.job, widest));
            const std::uint32_t node = pool.machine.chips_per_node;
            if (pool.chips > node && pool.chips % node != 0) {
                question_.notes.push_back(fmt::format(
                    "--chips {}: {} are no whole number of nodes of {}, which launches ask for",
                    pool.name,
                    format_count(pool.chips, "chip"),
                    node));
            }
        }
        return {};
    }

    // What the framework cannot be told is not ranked under its name. Where nobody named one, the
    // first that runs on the chips and can launch the model is taken; where none can, plans are
    // those of its kernels, and a note says so.
    Result<void> choose_launched(plan::Framework& framework,
                                 std::vector<plan::Precision>& precisions) {
        const auto why_not = [&](plan::Precision precision, plan::Framework by) -> std::string {
            const auto launched = plan::launches_model(question_.job, precision, by);
            return launched ? "" : launched.error().message;
        };
        const auto some = [&](plan::Framework by) {
            return std::any_of(precisions.begin(), precisions.end(), [&](plan::Precision one) {
                return why_not(one, by).empty();
            });
        };
        const std::string why = why_not(precisions.front(), framework);
        if (!some(framework)) {
            std::string others;
            for (const auto other : launched_frameworks) {
                if ((other == plan::Framework::mindspeed) != ascend_ || !some(other)) continue;
                if (others.empty()) framework = other;
                others += (others.empty() ? "" : " or ") + std::string(name_of(other));
            }
            if (!options_.framework.empty() || !options_.emit.empty()) {
                return fail(Code::unsupported,
                            fmt::format("{}: {}; {}",
                                        options_.framework.empty() ? "--emit" : "--framework",
                                        why,
                                        others.empty() ? "no other framework of these chips can"
                                                       : "take " + others));
            }
            if (others.empty()) {
                question_.notes.push_back(
                    fmt::format("--framework: {}; no other framework of these chips can, so plans "
                                "are those of its kernels, and --emit cannot write them",
                                why));
                return {};
            }
            question_.notes.push_back(
                fmt::format("--framework: {}, as {}", name_of(framework), why));
        }
        if (const std::string first = why_not(precisions.front(), framework); !first.empty()) {
            std::erase_if(precisions,
                          [&](plan::Precision one) { return !why_not(one, framework).empty(); });
            question_.notes.push_back(fmt::format("--precision {}: {}, so plans are in {}",
                                                  name_of(question_.precision),
                                                  first,
                                                  name_of(precisions.front())));
        }
        return {};
    }

    // Whether the objective can be counted on these chips.
    [[nodiscard]] Result<void> can_count(const PlanPool& pool) const {
        const plan::Objective objective = question_.search.objective;
        std::string missing;
        if (objective == plan::Objective::cost && pool.machine.price_per_chip_hour <= 0)
            missing = "what a chip-hour costs; give --price or a fleet file with prices";
        if (objective == plan::Objective::energy && pool.machine.chip_watts <= 0)
            missing = "what a chip draws; give its `tdp` in a catalogue file";
        if (objective == plan::Objective::goodput && pool.node_mtbf_s <= 0)
            missing = "how often a node fails; give --mtbf or a fleet file with reliability";
        if (missing.empty()) return {};
        return fail(
            Code::invalid,
            fmt::format(
                "--objective {}: of {} nobody says {}", name_of(objective), pool.name, missing));
    }

    const PlanOptions& options_;
    PlanQuestion question_{};
    bool ascend_ = true;  // all chips are Ascend's, where MindSpeed runs and the others do not
};

}  // namespace

plan::SearchOptions PlanQuestion::search_on(const PlanPool& pool) const {
    plan::SearchOptions made = search;
    made.chips = pool.chips;
    made.failures.node_mtbf_s = pool.node_mtbf_s;
    std::erase_if(made.precisions,
                  [&](plan::Precision one) { return pool.machine.peak(one) <= 0; });
    return made;
}

MemoryPromise memory_promise(const PlanOptions& options) {
    if (options.margin) return {0, *options.margin};
    const double risk = options.risk.value_or(plan::usual_risk);
    return {risk, plan::margin_of_risk(risk)};
}

std::string MemoryPromise::text() const {
    if (margin < 5e-5) return "";
    return risk > 0 ? fmt::format("keep the risk of running out of memory at {}", chance_text(risk))
                    : fmt::format("keep {} of the memory free", format_percent(margin));
}

std::string MemoryPromise::option_for(const plan::Prediction& prediction,
                                      const plan::Machine& machine) const {
    const auto hundredths = [](double value) { return fmt::format("{:.2f}", value); };
    if (risk > 0) {
        const double its = plan::out_of_memory_probability(prediction, machine);
        return "--risk " + hundredths(std::ceil(100 * its) / 100);
    }
    const double its = 1 - prediction.memory_total_bytes() / machine.memory_bytes;
    return "--margin " + hundredths(std::floor(100 * std::max(0.0, its)) / 100);
}

Result<PlanQuestion> plan_question(const PlanOptions& options) {
    return Asking(options).question();
}

Result<std::vector<PlanPool>> plan_pools(const PlanOptions& options) {
    return Asking(options).pools();
}

Result<double> tokens_from_text(const std::string& text) {
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, value);
    const std::string_view unit(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
    const double factor = unit.empty()  ? 1
                          : unit == "M" ? 1e6
                          : unit == "B" ? 1e9
                          : unit == "T" ? 1e12
                                        : 0;
    const double tokens = value * factor;
    if (parsed.ec == std::errc{} && tokens >= 1 && tokens <= 1e18) return tokens;
    return fail(Code::invalid,
                fmt::format("--tokens: '{}' is no number of tokens; write 20e9, 300B or 15T, from "
                            "1 to 1e18",
                            text));
}

Result<catalog::Model> plan_model(const std::string& name) {
    if (name.empty())
        return fail(Code::invalid,
                    "MODEL: say which, a name of `weir models` or the path of a config.json");
    return catalog::model_of(name);
}

Result<std::vector<std::uint64_t>> chip_counts(const std::string& range) {
    const auto dots = range.find("..");
    const auto low = whole(std::string_view(range).substr(0, dots));
    const auto high =
        dots == std::string::npos ? std::nullopt : whole(std::string_view(range).substr(dots + 2));
    if (!low || !high || *low == 0 || *low > *high || *high > chips_max) {
        return fail(Code::invalid,
                    fmt::format("--scale: '{}' is no range of chips; write 8..4096, from 1 to {}",
                                range,
                                format_count(chips_max)));
    }
    std::vector<std::uint64_t> counts;
    for (std::uint64_t count = *low; count < *high; count *= 2)
        counts.push_back(count);
    counts.push_back(*high);
    return counts;
}

std::string cost_text(const plan::Machine& machine, double chips, double seconds) {
    if (machine.price_per_chip_hour <= 0) return "";
    return money_text(machine.price_per_chip_hour * chips * seconds / 3600, machine.currency);
}

}  // namespace weir::cli
