#include "weir/plan/sizes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include "weir/base/units.hpp"
#include "weir/catalog/hf_config.hpp"
#include "weir/job/check_spec.hpp"
#include "weir/plan/interval.hpp"
#include "weir/plan/launch.hpp"
#include "weir/plan/launch_emit.hpp"
#include "weir/plan/throughput.hpp"

namespace weir::plan {
namespace {

// Steps of large runs are a few million tokens; where nobody says, this is counted on.
constexpr std::uint32_t usual_tokens_per_step = 1U << 22;
constexpr std::uint32_t usual_sequence = 4096;

// Nine tenths of a normal distribution lie below so many standard deviations.
constexpr double nine_of_ten = 1.2816;

// What comes before the first step: images, data, compilation. Nobody has published how long that
// is; so this is a choice, and only of the limit.
constexpr Duration before_the_first_step = seconds(600);

// A hub lives for years, and hears of jobs that never come again.
constexpr std::uint64_t searches_kept_max = 10'000;

// A number of chips, as nodes with equal numbers of them.
struct Gang {
    std::uint32_t replicas = 1;
    std::uint32_t chips = 1;
    [[nodiscard]] std::uint64_t in_all() const { return std::uint64_t{replicas} * chips; }
    friend auto operator<=>(const Gang&, const Gang&) = default;
};

// The fewest nodes on which so many chips are equally many on each; one chip on each at worst.
Gang gang_of(std::uint32_t chips, std::uint32_t per_node) {
    std::uint32_t each = std::min(chips, per_node);
    while (chips % each != 0)
        --each;
    return {chips / each, each};
}

std::vector<Gang> gangs_in(const job::ChipRange& range, const fleet::Pool& pool) {
    const std::uint32_t per_node = pool.chips_per_node;
    if (range.low == range.high) return {gang_of(range.low, per_node)};
    std::set<std::uint32_t> numbers;
    const auto add = [&](std::uint64_t chips) {
        if (chips < range.low || chips > range.high) return;
        if (chips > per_node && chips % per_node != 0) return;
        numbers.insert(static_cast<std::uint32_t>(chips));
    };
    for (std::uint32_t chips = 1; chips <= per_node; chips *= 2)
        add(chips);
    for (std::uint64_t nodes = 1; nodes * per_node <= range.high; nodes *= 2) {
        add(nodes * per_node);
        if (nodes % 2 == 0) add(nodes / 2 * 3 * per_node);
    }
    // The ends, in whole nodes beyond one of them.
    const auto rounded = [&](std::uint32_t chips, bool up) {
        if (chips <= per_node) return chips;
        return (chips + (up ? per_node - 1 : 0)) / per_node * per_node;
    };
    add(rounded(range.low, true));
    const std::uint64_t there = std::uint64_t{pool.nodes} * per_node;
    add(rounded(static_cast<std::uint32_t>(std::min<std::uint64_t>(range.high, there)), false));
    std::vector<Gang> gangs;
    for (const std::uint32_t chips : numbers)
        gangs.push_back(gang_of(chips, per_node));
    return gangs;
}

std::optional<Framework> framework_named(std::string_view name) {
    for (const Framework one : {Framework::megatron_lm,
                                Framework::deepspeed,
                                Framework::mindspeed,
                                Framework::torchtitan}) {
        if (name_of(one) == name) return one;
    }
    return std::nullopt;
}

// What is asked for is the least. BF16 keeps everything that FP8 does; BF16 and FP16 do not keep
// each other's, and FP32 is never faster.
std::vector<Precision> precisions_for(std::string_view asked, const Machine& machine) {
    std::vector<Precision> all;
    for (const Precision one : {Precision::bf16, Precision::fp8, Precision::fp16, Precision::fp32})
        if (name_of(one) == asked) all.push_back(one);
    if (asked == name_of(Precision::fp8)) all.push_back(Precision::bf16);
    std::erase_if(all, [&](Precision one) { return machine.peak(one) <= 0; });
    return all;
}

// The best plan that the framework can be told, with what it is told.
struct Launchable {
    Plan plan;
    std::vector<std::string> words;
};

class Planner {
public:
    Planner(const job::JobSpec& spec, TrainingJob job, Framework framework, Throughput& known)
        : spec_(spec), job_(std::move(job)), framework_(framework), known_(known) {}

    void plan_on(PoolId id,
                 const fleet::Pool& pool,
                 const catalog::ChipRecord& chip,
                 Sizes& sizes) const {
        const auto against = [&](std::string why) {
            sizes.without.push_back({id, std::move(why)});
        };
        const job::ChipRange& range = spec_.train->chips;
        const std::uint64_t there = std::uint64_t{pool.nodes} * pool.chips_per_node;
        if (there < range.low) {
            return against(fmt::format("it has {}, and the job wants at least {}",
                                       format_count(there, "chip"),
                                       range.low));
        }
        const std::vector<Gang> gangs = gangs_in(range, pool);
        std::optional<Duration> fastest;  // of the smaller ones
        std::optional<Error> none;        // of the last ones, for which there is no size
        std::uint64_t first = 0;
        std::uint64_t last = 0;
        const auto tell = [&] {
            if (!none) return;
            against(
                first == last
                    ? fmt::format("{}: {}", format_count(first, "chip"), none->message)
                    : fmt::format("{0} to {1} chips: with {1}, {2}", first, last, none->message));
            none.reset();
        };
        for (const Gang& gang : gangs) {
            if (gang.replicas > pool.nodes) continue;
            auto size = size_on(pool, chip, gang);
            if (!size) {
                if (none && none->code != size.error().code) tell();
                if (!none) first = gang.in_all();
                last = gang.in_all();
                none = size.error();
                continue;
            }
            tell();
            if (fastest && size->takes >= *fastest) continue;
            fastest = size->takes;
            put(*std::move(size), sizes.sizes);
        }
        tell();
        if (gangs.empty()) {
            against(fmt::format("no number of whole nodes of {} lies within {}",
                                format_count(pool.chips_per_node, "chip"),
                                text_of(range)));
        }
    }

private:
    // Where another pool has the very same, it is one size of both.
    static void put(job::TrainSize size, std::vector<job::TrainSize>& all) {
        for (job::TrainSize& other : all) {
            job::TrainSize there = size;
            there.pools = other.pools;
            if (there != other) continue;
            other.pools.push_back(std::move(size.pools.front()));
            return;
        }
        all.push_back(std::move(size));
    }

    Result<job::TrainSize> size_on(const fleet::Pool& pool,
                                   const catalog::ChipRecord& chip,
                                   const Gang& gang) const {
        MachineOptions machine_options;
        machine_options.chips_per_node = gang.replicas > 1 ? gang.chips : pool.chips_per_node;
        WEIR_TRY(const Machine machine, machine_of(chip, machine_options));
        SearchOptions options = options_for(framework_);
        options.precisions = precisions_for(spec_.train->precision, machine);
        options.memory_margin = 1 - std::exp(-nine_of_ten * memory_spread);
        if (options.precisions.empty()) {
            return fail(
                Code::unsupported,
                fmt::format("{} has no units for {}", machine.chip_name, spec_.train->precision));
        }
        WEIR_TRY(const Launchable best, best_on(machine, options, gang));
        const Strategy& strategy = best.plan.strategy;
        const Prediction& prediction = best.plan.prediction;
        WEIR_CHECK(check_extrapolation(job_, strategy));
        const Interval interval = interval_of(prediction, job_, machine, strategy);

        job::TrainSize size;
        size.pools = {pool.name};
        size.chip = pool.chip;
        size.replicas = gang.replicas;
        size.chips = gang.chips;
        size.step_s = prediction.step_s;
        size.step_low_s = interval.low_s;
        size.step_high_s = interval.high_s;
        size.mfu = prediction.mfu;
        size.plan = text_of(strategy);
        WEIR_CHECK(set_times(prediction, interval, size));
        size.env = environment_of(gang, strategy, best.words);
        if (framework_ == Framework::deepspeed) {
            const Launch launch{job_, as_launched(strategy, job_, framework_), gang.chips};
            size.env["WEIR_DEEPSPEED_CONFIG"] = deepspeed_json(launch);
        }
        return size;
    }

    Result<void> set_times(const Prediction& prediction,
                           const Interval& interval,
                           job::TrainSize& size) const {
        // Steps are whole, the last one as well.
        double takes_s = static_cast<double>(steps_of(job_)) * prediction.step_s;
        // Of each interval between two checkpoints it works all but the time of one.
        if (spec_.checkpoint) {
            takes_s *= 1 + as_seconds(spec_.checkpoint->cost) / as_seconds(spec_.checkpoint->every);
        }
        const double limit_s = takes_s * interval.high_s / prediction.step_s;
        if (limit_s > as_seconds(job::duration_max - before_the_first_step)) {
            return fail(Code::never_fits, "it would take more than 10y");
        }
        const auto rounded = [](double s) {
            return Duration{std::max<std::int64_t>(1000, std::llround(std::ceil(s)) * 1000)};
        };
        size.takes = spec_.expected.value_or(rounded(takes_s));
        size.limit = std::max(size.takes, rounded(limit_s)) + before_the_first_step;
        if (!spec_.limit) return {};
        if (*spec_.limit < size.takes) {
            return fail(Code::never_fits,
                        fmt::format("it would take {}, and its time limit is {}",
                                    format_duration(size.takes),
                                    format_duration(*spec_.limit)));
        }
        size.limit = *spec_.limit;
        return {};
    }

    [[nodiscard]] std::optional<std::vector<std::string>> words_of(const Strategy& strategy,
                                                                   const Gang& gang,
                                                                   Error& why) const {
        auto words = launch_arguments({job_, strategy, gang.chips}, framework_);
        if (words) return *std::move(words);
        why = words.error();
        return std::nullopt;
    }

    // Where the framework cannot run the best plan, what frameworks most often lack is taken away
    // step by step, and the fastest of what is left counts.
    Result<Launchable> best_on(const Machine& machine,
                               const SearchOptions& options,
                               const Gang& gang) const {
        const auto ask = [&](const SearchOptions& asked) {
            return known_.best(known_.subject(job_, machine, asked), gang.in_all());
        };
        const Plan* const first = ask(options);
        if (first == nullptr) return fail(Code::never_fits, why_none(machine, options, gang));
        Error why;
        if (auto words = words_of(first->strategy, gang, why)) return Launchable{*first, *words};
        const Error why_not_the_best = why;
        std::optional<Launchable> best;
        const auto try_with = [&](const SearchOptions& narrower) {
            const Plan* const plan = ask(narrower);
            if (plan == nullptr) return;
            if (best && plan->prediction.step_s >= best->plan.prediction.step_s) return;
            if (auto words = words_of(plan->strategy, gang, why)) best = Launchable{*plan, *words};
        };
        SearchOptions narrower = options;
        narrower.recompute_selective = false;
        try_with(narrower);
        narrower.recompute_block = false;
        try_with(narrower);
        narrower.cp = {1, 1};
        try_with(narrower);
        SearchOptions sharded = narrower;
        sharded.zero = {3};
        try_with(sharded);
        narrower.overlap.param_gather = false;
        try_with(narrower);
        narrower.vpp = {1, 1};
        try_with(narrower);
        if (best) return *std::move(best);
        return fail(why_not_the_best.code, why_not_the_best.message);
    }

    // Asked only where there is none, and not often.
    [[nodiscard]] std::string why_none(const Machine& machine,
                                       const SearchOptions& options,
                                       const Gang& gang) const {
        SearchOptions asked = options;
        asked.chips = gang.in_all();
        asked.top_k = 1;
        const auto found = search(TrainingModel(job_, machine), asked);
        if (!found) return found.error().message;
        if (!found->nearest) return "no parallel plan divides the model and its batch over them";
        constexpr double gib = 1024.0 * 1024 * 1024;
        return fmt::format(
            "the leanest plan needs {:.1f} GiB more than the {:.1f} GiB of a chip that are counted "
            "on",
            found->missing_bytes / gib,
            memory_limit_bytes(machine, asked) / gib);
    }

    [[nodiscard]] std::map<std::string, std::string> environment_of(
        const Gang& gang, const Strategy& s, const std::vector<std::string>& words) const {
        std::string arguments;
        for (const std::string& word : words)
            arguments += (arguments.empty() ? "" : " ") + word;
        const auto text = [](std::uint64_t number) { return std::to_string(number); };
        return {{"WEIR_TP", text(s.tp)},
                {"WEIR_PP", text(s.pp)},
                {"WEIR_DP", text(s.dp)},
                {"WEIR_CP", text(s.cp)},
                {"WEIR_EP", text(s.ep)},
                {"WEIR_VPP", text(s.vpp)},
                {"WEIR_MICRO_BATCH", text(s.micro_batch)},
                {"WEIR_GLOBAL_BATCH", text(job_.global_batch)},
                {"WEIR_SEQUENCE", text(job_.sequence)},
                {"WEIR_ZERO", text(s.zero)},
                {"WEIR_RECOMPUTE", std::string(name_of(s.recompute))},
                {"WEIR_PRECISION", std::string(name_of(s.precision))},
                {"WEIR_CHIPS", text(gang.in_all())},
                {"WEIR_CHIPS_PER_NODE", text(gang.chips)},
                {"WEIR_LAUNCH_ARGS", arguments}};
    }

    const job::JobSpec& spec_;
    const TrainingJob job_;
    const Framework framework_;
    Throughput& known_;
};

Result<catalog::Model> model_of(const job::Train& train) {
    const std::string& name = train.model;
    if (!train.config.empty()) {
        return catalog::model_from_hf_config(train.config, name, "train.model: " + name);
    }
    if (const catalog::Model* model = catalog::find_model(name)) return *model;
    // As Hugging Face writes it: "meta-llama/Llama-3.1-8B".
    const auto slash = name.rfind('/');
    if (slash != std::string::npos) {
        if (const catalog::Model* model = catalog::find_model(name.substr(slash + 1)))
            return *model;
    }
    const std::string near = catalog::nearest_model(name);
    return fail(Code::not_found,
                fmt::format("train.model: the catalogue does not know '{}'{}; `weir models` lists "
                            "what it knows, and a config.json is named by its path",
                            name,
                            near.empty() ? "" : fmt::format(" (did you mean {}?)", near)));
}

}  // namespace

Result<TrainingJob> training_job(const job::Train& train, std::vector<std::string>& notes) {
    TrainingJob job;
    WEIR_TRY(job.model, model_of(train));
    job.tokens = train.tokens;
    job.sequence = train.sequence;
    if (job.sequence == 0) {
        job.sequence =
            job.model.sequence > 0 ? std::min(job.model.sequence, usual_sequence) : usual_sequence;
        notes.push_back(fmt::format("train.sequence: {} tokens, as nothing else was said",
                                    format_count(job.sequence)));
    }
    job.global_batch = train.global_batch;
    if (job.global_batch == 0) {
        job.global_batch = std::max(1U, usual_tokens_per_step / job.sequence);
        notes.push_back(
            fmt::format("train.global_batch: {} sequences, 4 million tokens a step, as "
                        "nothing else was said",
                        format_count(job.global_batch)));
    }
    // A plan that nobody could run says so at once, whatever the chips.
    if (const auto far = check_extrapolation(job, Strategy{}); !far) {
        return fail(far.error().at("train"));
    }
    return job;
}

Result<Sizes> sizes_of(const job::JobSpec& spec,
                       const fleet::Fleet& fleet,
                       const std::vector<PoolId>& pools,
                       const catalog::Catalog& catalog) {
    thread_local Throughput known;
    if (known.searches() > searches_kept_max) known = Throughput{};
    Sizes sizes;
    WEIR_TRY(TrainingJob job, training_job(*spec.train, sizes.notes));
    const auto framework = framework_named(spec.train->framework);
    if (!framework) {
        return fail(Code::invalid,
                    fmt::format("train.framework: '{}' is none", spec.train->framework));
    }
    const Planner planner(spec, std::move(job), *framework, known);
    for (const PoolId id : pools) {
        const fleet::Pool& pool = fleet.pool(id);
        const catalog::ChipRecord* const chip =
            pool.chips_per_node == 0 ? nullptr : catalog.find(pool.chip);
        if (chip == nullptr) {
            sizes.without.push_back(
                {id,
                 pool.chips_per_node == 0
                     ? std::string("it has no chips")
                     : fmt::format("the catalogue does not know {}", pool.chip)});
            continue;
        }
        planner.plan_on(id, pool, *chip, sizes);
    }
    std::stable_sort(sizes.sizes.begin(), sizes.sizes.end(), [](const auto& a, const auto& b) {
        return a.chips_in_all() < b.chips_in_all();
    });
    return sizes;
}

}  // namespace weir::plan
