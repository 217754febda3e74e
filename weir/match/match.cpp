// One kind of chip against one contract: every way that it has for each phase, those that the
// contract does not accept put aside with the reason, and of the others the fastest.
#include "weir/match/match.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "weir/catalog/emulation.hpp"
#include "weir/catalog/vendor.hpp"

namespace weir::match {
namespace {

using catalog::Basis;
using catalog::ChipRecord;
using catalog::Format;
using catalog::Grade;
using catalog::Op;
using catalog::Rate;
using catalog::Way;
using Demand = Contract::Demand;

// A matrix whose size nobody said is taken for one of this size, on no better word than that.
constexpr std::uint64_t dim_assumed = 8192;
// Additions and products of FP32 numbers for one of two pairs of them: 10 to 20.
constexpr double pair_operations = 15;
constexpr int pair_bits = 46;
// FP32 has 254 binades, and the lower number of a pair lies up to 46 of them below.
constexpr std::uint32_t pair_range_bits = 208;
constexpr double refinement_sweeps = 5;
// Up to this spread of exponents a bounded emulation is taken to hold where nobody says how far.
constexpr std::uint32_t bounded_range_bits = 20;

// What a chip has of units for an operation in a format, by the catalogue.
struct Units {
    const Rate* rate = nullptr;  // nullptr = not known
    bool stands_in = false;      // general units for what matrix units would do
    [[nodiscard]] bool some() const { return rate != nullptr && rate->value > 0; }
    [[nodiscard]] bool none() const { return rate != nullptr && rate->value <= 0; }
};

// The classes of operation whose rate counts for another, the nearest first: what is known of one
// hides what is known of those behind it. Where only the format of an answer is said no time is at
// stake, only whether there are units of any kind; then no class hides another.
std::vector<Op> chain_of(Op op, bool any_units) {
    if (any_units) return {Op::vector, Op::gemm};
    switch (op) {
        case Op::gemm:
            return {Op::gemm, Op::vector};
        case Op::attention:
            return {Op::attention, Op::gemm, Op::vector};
        case Op::spmv:
        case Op::fft:
            return {op, Op::vector};
        case Op::vector:
        case Op::memory:
        case Op::other:
            break;
    }
    return {Op::vector};
}

Units units_of(
    const ChipRecord& chip, Format format, Op op, bool any_units, Way way = Way::native) {
    Units known;
    for (const Op one : chain_of(op, any_units)) {
        const Rate* rate = chip.rate(name_of(format), name_of(one), way);
        if (rate == nullptr) continue;
        const bool matrices = op == Op::gemm || op == Op::attention;
        const Units units{rate, matrices && one == Op::vector};
        if (units.some() || !any_units) return units;
        known = units;
    }
    return known;
}

// How far the exponents may spread for its grade to hold; none = whatever they do.
std::optional<std::uint32_t> range_of(const Rate& rate, Way way) {
    if (way == Way::native || way == Way::host) return std::nullopt;
    if (rate.range_bits) return rate.range_bits;
    if (way == Way::pair) return pair_range_bits;
    if (way == Way::emulated && rate.grade == Grade::bounded) return bounded_range_bits;
    return std::nullopt;
}

// Of the ways that have fewer digits than the format that was asked for.
std::optional<int> digits_of(const PhaseOffer& offer) {
    if (offer.way == Way::pair) return pair_bits;
    if (offer.way == Way::quantised) return facts_of(offer.format).significand_bits;
    return std::nullopt;
}

// Whether a way comes as close to the answer as was asked, for exponents that spread so far:
// nothing if so, else what is amiss.
std::optional<Why> short_of(const PhaseOffer& offer,
                            const std::optional<job::Tolerance>& tolerance,
                            std::optional<std::uint32_t> range_bits) {
    if (tolerance) {
        const bool backward = tolerance->metric == "backward_error";
        // From a small backward error a small error follows only where the condition is known.
        if (offer.way == Way::refined && !backward) return Why::tolerance;
        const auto digits = digits_of(offer);
        const bool of_digits = backward || tolerance->metric.empty();
        if (digits && of_digits && tolerance->value < std::exp2(-*digits)) return Why::tolerance;
    }
    if (range_bits) {
        if (offer.range_bits && *range_bits > *offer.range_bits) return Why::range_too_wide;
        return std::nullopt;
    }
    // Without a range only what holds for every one can be promised, and best effort promises
    // nothing.
    if (offer.grade == Grade::best_effort) return std::nullopt;
    if (offer.range_bits || offer.grade == Grade::bounded) return Why::range_unknown;
    return std::nullopt;
}

// Matches one chip; keeps what belongs to it together.
class Matcher {
public:
    Matcher(const Contract& contract, const ChipRecord& chip)
        : contract_(contract),
          chip_(chip),
          bandwidth_(chip.rate("", "memory")),
          host_bandwidth_(chip.rate("", "memory", Way::host)),
          inexact_int8_(catalog::has_inexact_int8(chip)) {}

    Match match() {
        Match match;
        check_chip(match.against);
        ChipOffer offer;
        std::vector<const Demand*> left;
        for (const Demand& demand : contract_.phases) {
            std::vector<Reason> why;
            if (auto served = best(demand, why)) {
                offer.phases.push_back(std::move(*served));
            } else if (auto by_host = on_host(demand)) {
                left.push_back(&demand);
                offer.phases.push_back(std::move(*by_host));
            } else {
                match.against.insert(match.against.end(), why.begin(), why.end());
            }
        }
        if (!left.empty() && !host_may_help(offer)) {
            for (const Demand* demand : left) {
                std::vector<Reason> why;
                static_cast<void>(best(*demand, why));
                match.against.insert(match.against.end(), why.begin(), why.end());
            }
        }
        if (!match.against.empty()) return match;
        sum_up(offer);
        match.offer = std::move(offer);
        return match;
    }

private:
    void check_chip(std::vector<Reason>& against) const {
        if (!contract_.stack.empty()) {
            std::vector<std::string> runs = chip_.stacks;
            const catalog::Family* family = catalog::family_of(chip_.name);
            if (runs.empty() && family != nullptr) runs.emplace_back(family->stack);
            const bool fits =
                std::find_first_of(
                    runs.begin(), runs.end(), contract_.stack.begin(), contract_.stack.end()) !=
                runs.end();
            if (runs.empty()) {
                against.push_back({.why = Why::stack_unknown});
            } else if (!fits) {
                against.push_back({.why = Why::other_stack, .other = runs.front()});
            }
        }
        if (contract_.memory.count > 0 && chip_.memory.count == 0) {
            against.push_back({.why = Why::memory_unknown, .asked = contract_.memory.count});
        } else if (contract_.memory > chip_.memory) {
            against.push_back({.why = Why::too_little_memory,
                               .asked = contract_.memory.count,
                               .has = chip_.memory.count});
        }
    }

    static Reason about(Why why, const Demand& demand) {
        return {.why = why, .phase = demand.name, .op = demand.op, .format = demand.format};
    }

    // The fastest accepted way, or the reasons why there is none.
    std::optional<PhaseOffer> best(const Demand& demand, std::vector<Reason>& why) const {
        std::optional<PhaseOffer> best;
        std::vector<Reason> put_aside;
        for (PhaseOffer& one : ways_of(demand, why)) {
            if (auto reason = refusal(demand, one)) {
                put_aside.push_back(std::move(*reason));
                continue;
            }
            if (!best || is_better(one, *best)) best = std::move(one);
        }
        if (!best && contract_.degraded) best = lower(demand);
        if (best) return best;
        for (Reason& reason : put_aside) {
            if (std::find(why.begin(), why.end(), reason) == why.end()) {
                why.push_back(std::move(reason));
            }
        }
        return std::nullopt;
    }

    // The faster one; what is only nearest to a contract, by its grade first.
    [[nodiscard]] bool is_better(const PhaseOffer& one, const PhaseOffer& other) const {
        if (contract_.degraded && one.grade != other.grade) return one.grade < other.grade;
        if (one.seconds != other.seconds) return one.seconds < other.seconds;
        return one.grade < other.grade;
    }

    // Every way that the chip has, accepted or not. `why`: what stands against the native one.
    std::vector<PhaseOffer> ways_of(const Demand& demand, std::vector<Reason>& why) const {
        std::vector<PhaseOffer> ways;
        add_native(demand, ways, why);
        const std::vector<const Rate*> stand_ins = stand_ins_for(demand);
        for (const Rate* rate : stand_ins) {
            if (rate->value > 0)
                ways.push_back(offer_by(demand, *rate, rate->way, demand.format, 1));
        }
        const auto is_known = [&stand_ins](Way way) {
            return std::any_of(stand_ins.begin(), stand_ins.end(), [way](const Rate* rate) {
                return rate->way == way;
            });
        };
        if (demand.format == Format::fp64) {
            add_emulated(demand, stand_ins, ways);
            if (!is_known(Way::refined)) add_refined(demand, ways);
            if (!is_known(Way::pair)) add_pair(demand, ways);
        }
        if (!is_known(Way::quantised)) add_quantised(demand, ways);
        return ways;
    }

    // What the catalogue says of ways that stand in for this format: of each way in the nearest
    // class of operation of which it is known, and there of each method the last word. A rate that
    // names no method speaks for every method of its way. A rate of 0 is among them: who knows that
    // there is none need not guess.
    [[nodiscard]] std::vector<const Rate*> stand_ins_for(const Demand& demand) const {
        // The last word first: of equally founded ones the catalogue has the later in front.
        std::vector<const Rate*> said;
        for (const Rate& rate : chip_.rates) {
            const bool replaces = rate.way != Way::native && rate.way != Way::host;
            if (!replaces || rate.format != name_of(demand.format)) continue;
            const auto place = std::upper_bound(
                said.begin(), said.end(), &rate, [](const Rate* one, const Rate* other) {
                    return better_founded(*one, *other);
                });
            said.insert(place, &rate);
        }
        std::vector<const Rate*> counting;
        if (said.empty()) return counting;
        const auto is_hidden = [&](const Rate& rate) {
            return std::any_of(counting.begin(), counting.end(), [&](const Rate* other) {
                if (other->way != rate.way) return false;
                if (other->op != rate.op) return !contract_.any_units;
                return other->method.empty() || other->method == rate.method;
            });
        };
        for (const Op op : chain_of(demand.op, contract_.any_units)) {
            for (const Rate* rate : said) {
                if (rate->op == name_of(op) && !is_hidden(*rate)) counting.push_back(rate);
            }
        }
        return counting;
    }

    void add_native(const Demand& demand,
                    std::vector<PhaseOffer>& ways,
                    std::vector<Reason>& why) const {
        const Units own = units_of(chip_, demand.format, demand.op, contract_.any_units);
        if (own.some()) {
            ways.push_back(offer_by(demand, own, Way::native, demand.format, 1));
            return;
        }
        if (own.none()) {
            why.push_back(about(Why::no_units, demand));
            if (!contract_.degraded) return;
        }
        for (const Format wider : catalog::all_formats()) {
            if (wider == demand.format || !holds(wider, demand.format)) continue;
            const Units units = units_of(chip_, wider, demand.op, contract_.any_units);
            if (units.some()) ways.push_back(offer_by(demand, units, Way::native, wider, 1));
        }
        if (ways.empty() && own.rate == nullptr) why.push_back(about(Why::units_unknown, demand));
    }

    // By the rule of emulation.hpp, unless it is known how such products do or that there are none.
    void add_emulated(const Demand& demand,
                      const std::vector<const Rate*>& stand_ins,
                      std::vector<PhaseOffer>& ways) const {
        if (demand.op != Op::gemm) return;
        const std::uint32_t moduli =
            catalog::moduli_for(contract_.range_bits.value_or(0)).value_or(catalog::moduli_max);
        const auto rate = catalog::derived_emulation(chip_, moduli);
        if (!rate) return;
        const bool known =
            std::any_of(stand_ins.begin(), stand_ins.end(), [&rate](const Rate* other) {
                return other->way == Way::emulated && (other->value <= 0 || other->method.empty() ||
                                                       other->method == rate->method);
            });
        if (!known) ways.push_back(offer_by(demand, *rate, Way::emulated, demand.format, 1));
    }

    void add_refined(const Demand& demand, std::vector<PhaseOffer>& ways) const {
        if (demand.op != Op::gemm) return;
        const Units low = units_of(chip_, Format::fp32, Op::gemm, contract_.any_units);
        const Units residual = units_of(chip_, Format::fp64, Op::vector, contract_.any_units);
        if (!low.some() || !residual.some()) return;
        double sweeps_s = 0;
        if (demand.dim > 0 && bandwidth_ != nullptr && bandwidth_->value > 0) {
            const auto n = static_cast<double>(demand.dim);
            const double solves = demand.flops / (2.0 / 3.0 * n * n * n);
            sweeps_s = solves * refinement_sweeps * 8 * n * n /
                       (bandwidth_->value * catalog::discount_of(bandwidth_->basis));
        }
        PhaseOffer offer = offer_by(demand, low, Way::refined, Format::fp32, 1, sweeps_s);
        offer.method = "fp32";
        offer.grade = Grade::certified;
        ways.push_back(std::move(offer));
    }

    void add_pair(const Demand& demand, std::vector<PhaseOffer>& ways) const {
        const Units low = units_of(chip_, Format::fp32, demand.op, contract_.any_units);
        if (!low.some()) return;
        PhaseOffer offer = offer_by(demand, low, Way::pair, Format::fp32, pair_operations);
        offer.method = "fp32";
        offer.grade = Grade::bounded;
        offer.basis = std::max(offer.basis, Basis::derived);
        ways.push_back(std::move(offer));
    }

    void add_quantised(const Demand& demand, std::vector<PhaseOffer>& ways) const {
        const catalog::FormatFacts& asked = facts_of(demand.format);
        const bool matrices = demand.op == Op::gemm || demand.op == Op::attention;
        if (!matrices || asked.is_integer || asked.bits > 16) return;
        for (const Format low : {Format::fp8e4m3, Format::fp8e5m2, Format::fp8, Format::int8}) {
            if (low == demand.format || facts_of(low).bits > asked.bits) continue;
            const Units units = units_of(chip_, low, demand.op, contract_.any_units);
            if (!units.some()) continue;
            Demand smaller = demand;
            if (demand.storage_share == 1) {
                smaller.bytes *= static_cast<double>(facts_of(low).bits) / asked.bits;
            }
            PhaseOffer offer = offer_by(smaller, units, Way::quantised, low, 1);
            offer.asked = demand.format;
            offer.method = std::string(name_of(low));
            offer.grade = Grade::best_effort;
            ways.push_back(std::move(offer));
        }
    }

    // The highest lower format that it has units for.
    std::optional<PhaseOffer> lower(const Demand& demand) const {
        for (const Format low : catalog::all_formats()) {
            if (low == demand.format || !holds(demand.format, low)) continue;
            const Units units = units_of(chip_, low, demand.op, contract_.any_units);
            if (!units.some()) continue;
            PhaseOffer offer = offer_by(demand, units, Way::native, low, 1);
            offer.grade = Grade::best_effort;
            return offer;
        }
        return std::nullopt;
    }

    std::optional<PhaseOffer> on_host(const Demand& demand) const {
        const Units units =
            units_of(chip_, demand.format, demand.op, contract_.any_units, Way::host);
        if (!units.some()) return std::nullopt;
        return offer_by(demand, *units.rate, Way::host, demand.format, 1);
    }

    [[nodiscard]] bool host_may_help(const ChipOffer& offer) const {
        double all = 0;
        double products = 0;
        for (std::size_t i = 0; i < contract_.phases.size() && i < offer.phases.size(); ++i) {
            const Way way = offer.phases[i].way;
            all += contract_.phases[i].flops;
            if (offer.phases[i].op == Op::gemm && (way == Way::emulated || way == Way::refined)) {
                products += contract_.phases[i].flops;
            }
        }
        return offer.phases.size() == contract_.phases.size() && products > 0 &&
               products >= all / 2;
    }

    PhaseOffer offer_by(const Demand& demand,
                        const Units& units,
                        Way way,
                        Format format,
                        double operations,
                        double overhead_s = 0) const {
        PhaseOffer offer = offer_by(demand, *units.rate, way, format, operations, overhead_s);
        if (units.stands_in) offer.basis = std::max(offer.basis, Basis::derived);
        return offer;
    }

    // The roofline of the header, a = `operations` and g = `overhead_s`.
    PhaseOffer offer_by(const Demand& demand,
                        const Rate& rate,
                        Way way,
                        Format format,
                        double operations,
                        double overhead_s = 0) const {
        PhaseOffer offer;
        offer.name = demand.name;
        offer.op = demand.op;
        offer.asked = demand.format;
        offer.format = format;
        offer.way = way;
        offer.method = rate.method;
        offer.grade = way == Way::native ? Grade::strict : rate.grade;
        offer.range_bits = range_of(rate, way);
        offer.memory_factor = rate.memory_factor;
        const bool guessed = demand.dim == 0 && !rate.by_dim.empty();
        const Basis basis = guessed && contract_.has_work ? Basis::assumed : rate.basis;
        offer.rate = rate_at(rate, demand.dim > 0 ? demand.dim : dim_assumed) / operations;
        offer.basis = basis;
        if (!contract_.has_work) return offer;
        const double compute_s = demand.flops / offer.rate;
        const Rate* memory = way == Way::host ? host_bandwidth_ : bandwidth_;
        const bool moves = demand.bytes > 0;
        const bool known = memory != nullptr && memory->value > 0;
        const double bytes =
            demand.bytes * demand.storage_share * (way == Way::emulated ? rate.memory_factor : 1);
        double planned_s = compute_s / catalog::discount_of(basis);
        offer.seconds_stated = compute_s;
        if (moves && known) {
            const double stated = bytes / memory->value;
            const double planned = stated / catalog::discount_of(memory->basis);
            offer.bandwidth = memory->value;
            offer.memory_bound = planned > planned_s;
            if (offer.memory_bound) offer.basis = memory->basis;
            planned_s = std::max(planned_s, planned);
            offer.seconds_stated = std::max(offer.seconds_stated, stated);
        }
        // The processors' memory is said only by who cares; without it they count by their rate.
        offer.timed = !moves || known || way == Way::host;
        offer.seconds = planned_s + overhead_s;
        offer.seconds_stated += overhead_s;
        return offer;
    }

    // Why the contract does not take this way; nothing if it does.
    std::optional<Reason> refusal(const Demand& demand, const PhaseOffer& offer) const {
        const double factor = offer.memory_factor;
        if (contract_.memory.count > 0 && factor > 1 &&
            static_cast<double>(contract_.memory.count) * factor >
                static_cast<double>(chip_.memory.count)) {
            Reason reason = about(Why::too_little_memory, demand);
            reason.way = offer.way;
            reason.asked = std::llround(static_cast<double>(contract_.memory.count) * factor);
            reason.has = chip_.memory.count;
            return reason;
        }
        const auto because = [&](Why why) {
            Reason reason = about(why, demand);
            reason.way = offer.way;
            reason.grade = offer.grade;
            return reason;
        };
        // A wrong answer is near to no contract.
        const bool inexact = inexact_int8_ && catalog::rests_on_int8(offer.way, offer.method);
        if (contract_.degraded && !inexact) return std::nullopt;
        bool named = false;
        bool reached = false;
        for (const job::Accept& accept : contract_.accept) {
            if (accept.way != offer.way) continue;
            named = true;
            reached = reached || at_least(offer.grade, accept.least);
        }
        if (!named && !contract_.degraded) return because(Why::not_accepted);
        if (inexact) return because(Why::inexact);
        if (!reached) return because(Why::grade_too_low);
        if (contract_.specials && offer.grade != Grade::strict) return because(Why::specials);
        const auto why = short_of(offer, contract_.tolerance, contract_.range_bits);
        if (!why) return std::nullopt;
        Reason reason = because(*why);
        if (*why == Why::range_too_wide) reason.asked = *contract_.range_bits;
        if (*why == Why::tolerance) reason.has = digits_of(offer).value_or(0);
        return reason;
    }

    void sum_up(ChipOffer& offer) const {
        double seconds = 0;
        double stated = 0;
        double of_fp64 = 0;
        bool timed = contract_.has_work;
        double weight = 0;
        double weight_fp64 = 0;
        for (std::size_t i = 0; i < offer.phases.size(); ++i) {
            const PhaseOffer& phase = offer.phases[i];
            const bool fp64 = phase.asked == Format::fp64;
            seconds += phase.seconds;
            stated += phase.seconds_stated;
            if (fp64) of_fp64 += phase.seconds;
            timed = timed && phase.timed;
            const double flops = contract_.has_work ? contract_.phases[i].flops : 1;
            weight += flops;
            if (fp64) weight_fp64 += flops;
            offer.basis = std::max(offer.basis, phase.basis);
            offer.memory_factor = std::max(offer.memory_factor, phase.memory_factor);
        }
        if (timed) {
            offer.seconds = seconds;
            offer.seconds_stated = stated;
        }
        // Without a word about formats nobody knows what the job leaves unused.
        offer.fp64_share = 1;
        if (timed && seconds > 0) {
            offer.fp64_share = of_fp64 / seconds;
        } else if (weight > 0) {
            offer.fp64_share = weight_fp64 / weight;
        }
    }

    const Contract& contract_;
    const ChipRecord& chip_;
    const Rate* bandwidth_;
    const Rate* host_bandwidth_;
    const bool inexact_int8_;
};

}  // namespace

std::function<bool(std::string_view, catalog::Format)> keeps_in(const catalog::Catalog& catalog) {
    return [&catalog](std::string_view chip, catalog::Format format) {
        const catalog::ChipRecord* const record = catalog.find(chip);
        if (record == nullptr) return false;
        Contract contract;
        contract.phases.push_back({.name = "its work", .format = format});
        contract.any_units = true;
        return match_chip(contract, *record).offer.has_value();
    };
}

Contract contract_of(const job::JobSpec& spec) {
    Contract contract;
    const double chips = spec.gang.replicas * (spec.gang.chips + spec.gang.chip_permille / 1000.0);
    contract.on_chips = chips > 0;
    contract.stack = spec.chips_stack;
    contract.memory = spec.chips_memory;
    if (const auto& precision = spec.precision) {
        contract.accept = precision->accept;
        contract.range_bits = precision->range_bits;
        contract.tolerance = precision->tolerance;
        contract.specials = precision->specials == job::Specials::required;
        contract.one_kind = precision->reproducible == job::Reproducible::bitwise;
    }
    contract.has_work = !spec.work.empty() && contract.on_chips;
    for (const job::Phase& phase : spec.work) {
        Contract::Demand demand;
        demand.name = phase.name.empty() ? std::string(name_of(phase.op)) : phase.name;
        demand.op = phase.op;
        demand.dim = phase.dim;
        if (phase.format) {
            demand.format = *phase.format;
        } else if (spec.precision) {
            demand.format = spec.precision->format;
        } else {
            // In which format it computes nobody says: neither a demand nor a time follows.
            contract.has_work = false;
            continue;
        }
        if (phase.storage) {
            demand.storage_share =
                static_cast<double>(facts_of(*phase.storage).bits) / facts_of(demand.format).bits;
        }
        if (chips > 0) {
            demand.flops = phase.flops / chips;
            demand.bytes = phase.bytes / chips;
        }
        contract.phases.push_back(std::move(demand));
    }
    if (spec.work.empty() && spec.precision) {
        contract.any_units = true;
        contract.phases.push_back({.name = "its work", .format = spec.precision->format});
    }
    return contract;
}

Contract degraded(Contract contract) {
    contract.degraded = true;
    return contract;
}

Match match_chip(const Contract& contract, const catalog::ChipRecord& chip) {
    return Matcher(contract, chip).match();
}

}  // namespace weir::match
