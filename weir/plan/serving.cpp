#include "weir/plan/serving.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "weir/plan/serving_step.hpp"

namespace weir::plan {
namespace {

// Tokens of a prompt that no cache knows; the last one always goes through.
double fresh_tokens(const ServingJob& job) {
    return std::max(1.0, job.isl * (1 - job.cached_share));
}

// What a loop of steps gives a client.
struct Loop {
    double tpot_s = 0;
    double ttft_s = 0;
    double decode_s = 0;  // of a token, without prompts
    double prompt_s = 0;  // that one request takes from the others
    double cycle_s = 0;   // from one request of a client to its next
};

// The time of a token through all stages, prompts left out, with `sequences` on an attention rank.
ServingTerms token_of(const ServingStep& step, const ServingJob& job, double sequences) {
    const double groups = std::clamp(sequences, 1.0, step.s.pp);
    ServingTerms terms = step.decode(sequences / groups, sequences, job.isl + job.osl / 2);
    for (double& term : terms)
        term *= step.s.pp;
    return terms;
}

// `sequences` at once on an attention rank.
Loop loop_of(const ServingStep& step,
             const ServingJob& job,
             const ServingPlan& plan,
             double sequences,
             ServingTerms& terms) {
    terms = token_of(step, job, sequences);
    const double pp = step.s.pp;
    const double n = sequences / std::clamp(sequences, 1.0, pp);
    const double osl = std::max(job.osl, 1.0);
    Loop loop;
    loop.decode_s = sum(terms);
    const bool alone = plan.traffic == Traffic::batches;
    // As many prompts in a step as come while it runs.
    const double fresh = fresh_tokens(job);
    const double coming = alone ? sequences * fresh : n * fresh / osl;
    const double chunk = std::min(std::max(coming, fresh), step.chunk_tokens);
    loop.prompt_s =
        step.prompt_s(alone ? 0 : n, alone ? 0 : loop.decode_s / pp, chunk, fresh, job.isl) *
        fresh / chunk;
    const double through = loop.prompt_s * (pp - 1);
    const double others = (sequences - 1) * loop.prompt_s;
    loop.cycle_s = sequences * loop.prompt_s + through + job.osl * loop.decode_s;
    if (alone) {
        loop.ttft_s = sequences * loop.prompt_s + through + step.engine.first_s;
        loop.tpot_s = loop.decode_s;
        return loop;
    }
    double ahead = 0;  // share of the others' prompts that a request waits for
    if (job.rounds > 0) {
        ahead = 1 / (2 * job.rounds);
    } else {
        // Prompts that come by chance at a server that works on them one by one (M/D/1).
        const double busy = std::min(0.98, sequences * loop.prompt_s / loop.cycle_s);
        if (others > 0) {
            const double wait = busy / (2 * (1 - busy)) * loop.prompt_s;
            ahead = std::min(0.5, wait / others);
        }
    }
    const double unseen = plan.start.wait_steps * loop.decode_s;
    loop.cycle_s += unseen;
    // A request comes when a step has just begun: it waits for that one, if others decode, and its
    // prompt goes through in the next. Prompts of others are in both, as they come.
    const double running_s = loop.decode_s + others / osl;
    const double missed_s = (sequences - 1) / sequences * running_s;
    loop.ttft_s = step.engine.first_s + unseen + missed_s + running_s + loop.prompt_s + through +
                  ahead * others;
    terms[static_cast<std::size_t>(ServingTerm::prompts)] = (1 - ahead) * others / osl;
    loop.tpot_s = sum(terms);
    return loop;
}

// Prompts on chips of their own: `n` sequences decode on a replica, the prompts of all decoders go
// through `servers` of which each takes `prompt_s` for one.
struct Apart {
    double tpot_s = 0;
    double ttft_s = 0;  // without what clients wait that find no place
    double requests_per_s = 0;
};
Apart apart_of(const ServingStep& step,
               const ServingJob& job,
               double n,
               double decoders,
               double servers,
               double prompt_s,
               double fixed_s) {
    Apart set;
    set.tpot_s = sum(token_of(step, job, std::max(1.0, n / step.s.dp)));
    set.requests_per_s = decoders * n / (job.osl * set.tpot_s);
    // M/D/k, of Sakasegawa's approximation of M/M/k the half.
    const double busy = std::min(0.999, set.requests_per_s * prompt_s / servers);
    const double queue =
        std::pow(busy, std::sqrt(2 * (servers + 1)) - 1) / (servers * (1 - busy)) / 2;
    set.ttft_s = fixed_s + prompt_s * (1 + queue) + set.tpot_s;
    return set;
}

constexpr double z_90 = 1.645;  // of a normal distribution, both sides together 10 %

}  // namespace

double bytes_of(Numbers numbers) {
    switch (numbers) {
        case Numbers::bf16:
        case Numbers::fp16:
            return 2;
        case Numbers::fp8:
        case Numbers::int8:
            return 1;
        case Numbers::nvfp4:
            return 0.5 + 1.0 / 16;  // a scale in 8 bits for 16 numbers
        case Numbers::mxfp4:
            return 0.5 + 1.0 / 32;  // the same for 32
        case Numbers::int4:
            return 0.5 + 2.0 / 32;  // a scale in 16 bits for 32
    }
    return 2;
}

std::string_view name_of(Numbers numbers) {
    constexpr std::array<std::string_view, 7> names{
        "bf16", "fp16", "fp8", "int8", "nvfp4", "mxfp4", "int4"};
    return names[static_cast<std::size_t>(numbers)];
}
std::string_view name_of(Engine engine) {
    constexpr std::array<std::string_view, 5> names{
        "tensorrt-llm", "vllm", "sglang", "lmdeploy", "faster-transformer"};
    return names[static_cast<std::size_t>(engine)];
}
std::string_view name_of(Traffic traffic) {
    constexpr std::array<std::string_view, 3> names{"clients", "batches", "queue"};
    return names[static_cast<std::size_t>(traffic)];
}
std::string_view name_of(ServingTerm term) {
    constexpr std::array<std::string_view, serving_term_count> names{"products",
                                                                     "experts",
                                                                     "attention",
                                                                     "moving",
                                                                     "tensor",
                                                                     "exchange",
                                                                     "pipeline",
                                                                     "overhead",
                                                                     "prompts"};
    return names[static_cast<std::size_t>(term)];
}
const std::array<Numbers, 7>& all_numbers() {
    static constexpr std::array<Numbers, 7> all{Numbers::bf16,
                                                Numbers::fp16,
                                                Numbers::fp8,
                                                Numbers::int8,
                                                Numbers::nvfp4,
                                                Numbers::mxfp4,
                                                Numbers::int4};
    return all;
}

std::string text_of(const ServingPlan& plan) {
    const auto degrees = [](const Degrees& d) {
        std::string text = fmt::format("tp {}", d.tp);
        if (d.pp > 1) text += fmt::format(", pp {}", d.pp);
        if (d.attention_dp > 1) text += fmt::format(", attention dp {}", d.attention_dp);
        if (d.ep > 1) text += fmt::format(", ep {}", d.ep);
        return text;
    };
    std::string text = degrees(plan.degrees);
    if (plan.prefill) {
        text = fmt::format("{} x prefill ({}) + {} x decode ({})",
                           plan.prefillers,
                           degrees(*plan.prefill),
                           plan.decoders,
                           text);
    }
    if (plan.batch > 0) text += fmt::format(", batch {}", plan.batch);
    text += fmt::format(", {}, cache {}", name_of(plan.weights), name_of(plan.cache));
    return text;
}

double ServingPrediction::low(double value) const {
    return value * std::exp(-z_90 * spread);
}
double ServingPrediction::high(double value) const {
    return value * std::exp(z_90 * spread);
}
double ServingPrediction::ttft_low_s() const {
    return ttft_s * std::exp(-z_90 * first_spread);
}
double ServingPrediction::ttft_high_s() const {
    return ttft_s * std::exp(z_90 * first_spread);
}

Result<void> check(const ServingJob& job) {
    WEIR_CHECK(catalog::check(job.model));
    constexpr double tokens_max = 1e8;
    const auto within = [](std::string_view name, double value, double low, double high) {
        if (value >= low && value <= high) return Result<void>{};
        return Result<void>(
            fail(Code::invalid, fmt::format("{} {}: must be {} to {}", name, value, low, high)));
    };
    WEIR_CHECK(within("isl", job.isl, 1, tokens_max));
    WEIR_CHECK(within("osl", job.osl, 1, tokens_max));
    WEIR_CHECK(within("slo ttft", job.ttft_slo_s, 0, 1e6));
    WEIR_CHECK(within("slo tpot", job.tpot_slo_s, 0, 1e6));
    WEIR_CHECK(within("qps", job.requests_per_s, 0, 1e9));
    WEIR_CHECK(within("expert skew", job.expert_skew, 0, 1));
    WEIR_CHECK(within("cached share", job.cached_share, 0, 1));
    return within("rounds", job.rounds, 0, 1e9);
}

namespace {
Result<void> check(const Degrees& d, const catalog::Model& model, const Machine& machine) {
    const auto refuse = [](std::string text) { return fail(Code::invalid, std::move(text)); };
    if (d.tp == 0 || d.pp == 0 || d.ep == 0 || d.attention_dp == 0)
        return refuse("tp, pp, ep and attention dp must be at least 1");
    if (model.heads % d.tp != 0)
        return refuse(fmt::format("tp {}: must divide the {} heads", d.tp, model.heads));
    if (!model.latent && model.kv_heads % d.tp != 0 && d.tp % model.kv_heads != 0) {
        return refuse(fmt::format(
            "tp {}: must divide the {} heads of keys, or be a multiple", d.tp, model.kv_heads));
    }
    if (d.pp > model.layers)
        return refuse(fmt::format("pp {}: more than the {} layers", d.pp, model.layers));
    if (d.ep > 1 && !model.experts)
        return refuse(fmt::format("ep {}: model {} has no experts", d.ep, model.name));
    if (model.experts) {
        if (d.tp * d.attention_dp % d.ep != 0) {
            return refuse(fmt::format(
                "ep {}: must divide tp x attention dp = {}", d.ep, d.tp * d.attention_dp));
        }
        if (d.ep > model.experts->count)
            return refuse(fmt::format("ep {}: more than {} experts", d.ep, model.experts->count));
    } else if (d.attention_dp > 1) {
        return refuse(
            fmt::format("attention dp {}: only pays where there are experts; model {} "
                        "has none, use more replicas",
                        d.attention_dp,
                        model.name));
    }
    if (d.tp > machine.chips_per_node && machine.between.bytes_per_s <= 0)
        return refuse(fmt::format("tp {}: there is no link between nodes", d.tp));
    return {};
}
}  // namespace

Result<void> check(const ServingPlan& plan, const ServingJob& job, const Machine& machine) {
    WEIR_CHECK(check(plan.degrees, job.model, machine));
    if (plan.prefill) {
        WEIR_CHECK(check(*plan.prefill, job.model, machine));
        if (plan.prefillers == 0 || plan.decoders == 0)
            return fail(Code::invalid, "prompts apart need at least one replica of each kind");
    }
    if (is_four_bits(plan.cache)) {
        return fail(Code::invalid,
                    fmt::format("cache {}: must be bf16, fp16, fp8 or int8", name_of(plan.cache)));
    }
    return {};
}

ServingModel::ServingModel(const ServingJob& job, const Machine& machine)
    : ServingModel(job,
                   machine,
                   serving_chip(machine.chip_name),
                   serving_link(machine.inside.kind),
                   serving_link(machine.between.kind)) {}

ServingModel::ServingModel(const ServingJob& job,
                           const Machine& machine,
                           const ServingChip& chip,
                           const ServingLink& inside,
                           const ServingLink& between)
    : job_(job), machine_(machine), chip_(chip), inside_(inside), between_(between) {}

ServingPrediction ServingModel::predict(const ServingPlan& plan) const {
    return predict(plan, serving_engine(name_of(plan.engine)));
}

ServingPrediction ServingModel::predict(const ServingPlan& plan,
                                        const ServingEngine& engine) const {
    const double chunk_tokens =
        plan.start.prompt_tokens_max > 0 ? plan.start.prompt_tokens_max : engine.chunk_tokens;
    const auto step_of = [&](const Degrees& degrees) {
        return ServingStep{job_.model,
                           machine_,
                           chip_,
                           inside_,
                           between_,
                           engine,
                           job_.expert_skew,
                           chunk_tokens,
                           share_of(job_.model, degrees, plan)};
    };
    const ServingStep step = step_of(plan.degrees);
    ServingPrediction p;
    p.spread = std::max(chip_.spread, job_.model.is_moe() ? engine.experts_spread : engine.spread);
    p.first_spread = std::max(p.spread, engine.first_spread);
    p.estimated = !chip_.fitted || !engine.fitted ||
                  (plan.degrees.chips() > 1 && !inside_.fitted) || machine_.memory_bytes_per_s <= 0;
    p.memory = memory_of(step, job_);
    const double room = p.memory.taken_bytes - p.memory.weights_bytes - p.memory.activations_bytes;
    const double longest = job_.isl + job_.osl;
    const double admitted = job_.isl + job_.osl * (0.5 + 0.5 * engine.keeps_whole);
    p.cache_tokens = step.s.dp * std::max(0.0, room) / p.memory.cache_token_bytes;
    p.fits = p.cache_tokens >= longest * step.s.dp;
    double most = std::min(engine.batch_max * step.s.dp, std::floor(p.cache_tokens / admitted));
    if (plan.start.sequences_max > 0)
        most = std::min(most, plan.start.sequences_max - engine.idle_sequences);
    most = std::max(1.0, most);
    // A queue always fills what memory and the engine, and a limit where one is given, allow.
    const bool queue = plan.traffic == Traffic::queue;
    const double asked = plan.batch == 0 ? most
                         : queue         ? std::min<double>(plan.batch, most)
                                         : plan.batch;
    p.batch_max = most;
    p.batch = std::min(asked, most);
    p.waiting = asked - p.batch;

    // Sequences of one attention rank; the fullest of them where they do not divide.
    const auto rank = [&](double batch) { return std::max(1.0, batch / step.s.dp); };
    if (!plan.prefill) {
        Loop loop = loop_of(step, job_, plan, rank(p.batch), p.term_s);
        // The front of the engine takes requests and hands out tokens one after the other. Those
        // that it works on or that wait for it are not in the batch.
        const double out_s = job_.osl * engine.stream_s / std::max(1.0, plan.start.stream_interval);
        const auto before = [&] {
            double requests = 0;  // M/D/1 each
            for (const double service_s : {engine.request_s, out_s}) {
                const double busy = p.batch / loop.cycle_s * service_s;
                requests += busy < 0.999 ? busy * busy / (2 * (1 - busy)) : 1e6;
            }
            return requests;
        };
        double slower = 1;
        if (plan.traffic == Traffic::clients && p.batch + before() > asked) {
            const double all = p.batch;
            double low = 0;
            double high = all;
            for (int i = 0; i < 12; ++i) {
                p.batch = (low + high) / 2;
                loop = loop_of(step, job_, plan, rank(p.batch), p.term_s);
                (p.batch + before() > asked ? high : low) = p.batch;
            }
            // A front that is behind holds up the steps, too, as it shares the host with them: half
            // of what it cannot take waits before it, half has its tokens later.
            if (plan.batch > 0) {
                slower = (1 + all / p.batch) / 2;
                p.batch *= slower;
            }
        }
        p.in_front = plan.batch == 0 ? 0 : asked - p.waiting - p.batch;
        const double late = p.waiting + p.in_front;
        p.ttft_s = loop.ttft_s + late / p.batch * loop.cycle_s * slower;
        p.tpot_s = loop.tpot_s * slower;
        p.term_s[static_cast<std::size_t>(ServingTerm::overhead)] += p.tpot_s - loop.tpot_s;
        const double total_s =
            queue ? loop.cycle_s : p.ttft_s + p.tpot_s * std::max(0.0, job_.osl - 1);
        p.requests_per_s = (p.batch + (queue ? 0 : late)) / total_s;
    } else {
        predict_apart(plan, step, step_of(*plan.prefill), asked, p);
    }
    p.memory.cache_bytes =
        std::min(std::max(0.0, room),
                 rank(p.batch) * std::min(longest, admitted) * p.memory.cache_token_bytes);
    p.output_tokens_per_s = p.requests_per_s * job_.osl;
    const double chips = static_cast<double>(plan.chips());
    p.tokens_per_s_per_chip = p.output_tokens_per_s / chips;
    if (job_.requests_per_s > 0 && p.requests_per_s > 0) {
        p.replicas = static_cast<std::uint64_t>(
            std::max(1.0, std::ceil(job_.requests_per_s / p.requests_per_s)));
    }
    p.chips = p.replicas * plan.chips();
    if (machine_.price_per_chip_hour > 0 && p.requests_per_s > 0) {
        const double served = job_.requests_per_s > 0
                                  ? job_.requests_per_s * job_.osl
                                  : p.output_tokens_per_s * static_cast<double>(p.replicas);
        p.cost_per_million_tokens =
            machine_.price_per_chip_hour * static_cast<double>(p.chips) / 3600 / served * 1e6;
    }
    return p;
}

// Decoding is not disturbed by prompts; a request waits for one of the replicas that take them and
// for its keys and values to be sent. `asked` clients stand before each decoder: some of them
// decode, the others have their prompts worked on or wait for that.
void ServingModel::predict_apart(const ServingPlan& plan,
                                 const ServingStep& step,
                                 const ServingStep& taker,
                                 double asked,
                                 ServingPrediction& p) const {
    const double decoders = plan.decoders;
    const double servers = plan.prefillers * taker.s.dp;
    // Each attention rank takes one prompt after the other; short ones go through together.
    const double fresh = fresh_tokens(job_);
    const double chunk = std::min(fresh, taker.chunk_tokens);
    const double prompt_s = taker.prompt_s(0, 0, chunk, fresh, job_.isl) * fresh / chunk;
    const bool near = plan.chips() <= machine_.chips_per_node || machine_.between.bytes_per_s <= 0;
    const double link = near ? machine_.inside.bytes_per_s * inside_.bandwidth_share
                             : machine_.between.bytes_per_s * between_.bandwidth_share;
    const double sent_s = job_.isl * p.memory.cache_token_bytes / std::max(1.0, link);
    // All clients at once at the start of a benchmark: on average they wait for half of it.
    const double burst_s =
        job_.rounds > 0 ? (asked * decoders / servers - 1) / 2 * prompt_s / job_.rounds : 0;
    const double fixed_s =
        taker.engine.first_s + prompt_s * (taker.s.pp - 1) + sent_s + std::max(0.0, burst_s);
    const auto set_of = [&](double n) {
        return apart_of(step, job_, n, decoders, servers, prompt_s, fixed_s);
    };
    // How many of the clients decode: the more, the more prompts are under way.
    const auto clients = [&](double n, const Apart& set) {
        return n + set.requests_per_s * set.ttft_s / decoders;
    };
    double low = 0;
    double high = p.batch;
    Apart set = set_of(high);
    if (clients(high, set) > asked) {
        for (int i = 0; i < 12; ++i) {
            const double middle = (low + high) / 2;
            set = set_of(middle);
            (clients(middle, set) > asked ? high : low) = middle;
        }
        set = set_of(high);
    }
    p.batch = high;
    p.term_s = token_of(step, job_, std::max(1.0, p.batch / step.s.dp));
    p.tpot_s = set.tpot_s;
    p.requests_per_s = set.requests_per_s;
    p.ttft_s =
        set.ttft_s + std::max(0.0, asked - clients(high, set)) * decoders / set.requests_per_s;
    const ServingMemory other = memory_of(taker, job_);
    if (other.weights_bytes + other.activations_bytes + job_.isl * other.cache_token_bytes >
        other.taken_bytes)
        p.fits = false;
}

}  // namespace weir::plan
