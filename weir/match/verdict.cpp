#include "weir/match/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "weir/catalog/vendor.hpp"

namespace weir::match {
namespace {

using catalog::Format;
using catalog::Grade;
using catalog::Op;
using catalog::Rate;
using catalog::Way;

// The operations whose rates count for another, the nearest first.
std::vector<std::string_view> classes_of(Op op, bool any_op) {
    std::vector<std::string_view> classes;
    if (op == Op::attention) classes = {"attention", "gemm", "vector"};
    if (op == Op::gemm) classes = {"gemm", "vector"};
    if (op == Op::spmv) classes = {"spmv", "vector"};
    if (op == Op::fft) classes = {"fft", "vector"};
    if (classes.empty()) classes = {"vector"};
    if (op == Op::other && any_op) classes = {"vector", "gemm"};
    return classes;
}

// Whether the chip has native units for it: 1 yes, 0 no, -1 nobody knows.
int has_units(const catalog::ChipRecord& chip, Format format, Op op, bool any_op) {
    for (const std::string_view one : classes_of(op, any_op)) {
        const Rate* rate = chip.rate(name_of(format), one);
        if (rate != nullptr) return rate->value > 0 ? 1 : 0;
    }
    return -1;
}

// The last word on something: sorted by how well it is founded, then by its date.
const Rate* last_word(std::vector<const Rate*> rates) {
    if (rates.empty()) return nullptr;
    std::stable_sort(rates.begin(), rates.end(), [](const Rate* a, const Rate* b) {
        return std::pair(a->basis, b->date) < std::pair(b->basis, a->date);
    });
    return rates.front();
}

bool int8_is_inexact(const catalog::ChipRecord& chip) {
    std::vector<const Rate*> findings;
    for (const Rate& rate : chip.rates) {
        if (rate.format == "int8" && rate.op == "gemm" && rate.way == Way::native && rate.exact)
            findings.push_back(&rate);
    }
    const Rate* last = last_word(findings);
    return last != nullptr && !*last->exact;
}

// What the catalogue says of this way and method, and of the way as such.
const Rate* said_of(const catalog::ChipRecord& chip,
                    const PhaseOffer& done,
                    Format format,
                    const std::vector<std::string_view>& classes) {
    for (const std::string_view op : classes) {
        std::vector<const Rate*> all;
        bool of_method = false;
        for (const Rate& rate : chip.rates) {
            if (rate.way != done.way || rate.format != name_of(format) || rate.op != op) continue;
            if (rate.method != done.method && !rate.method.empty()) continue;
            of_method = of_method || rate.method == done.method;
            all.push_back(&rate);
        }
        if (of_method) return last_word(all);
    }
    return nullptr;
}

// What is wrong with standing in for native units by this way.
std::string wrong_with(const catalog::ChipRecord& chip,
                       const PhaseOffer& done,
                       Format format,
                       const std::vector<std::string_view>& classes,
                       std::uint64_t dim) {
    if (done.way == Way::emulated && int8_is_inexact(chip) &&
        (done.method.empty() || done.method.find("int8") != std::string::npos)) {
        return "is built on INT8 products that are not exact";
    }
    const Rate* said = said_of(chip, done, format, classes);
    if (said == nullptr) return "";
    if (said->value <= 0) return "is done in a way that the chip does not have";
    const double rate = rate_at(*said, dim == 0 ? 8192 : dim);
    if (std::abs(done.rate - rate) > 1e-9 * rate) {
        return fmt::format("counts on {:g}, and the best founded rate is {:g}", done.rate, rate);
    }
    return "";
}

// How far a way reaches: digits and exponents.
std::string too_short(const job::Precision& precision, const PhaseOffer& done) {
    if (const auto& tolerance = precision.tolerance) {
        const bool plain = tolerance->metric.empty();
        const bool backward = tolerance->metric == "backward_error";
        if (done.way == Way::refined && !backward) {
            return "is refined, which promises a backward error only";
        }
        double unit = 0;
        if (done.way == Way::pair) unit = std::pow(0.5, 46);
        if (done.way == Way::quantised)
            unit = std::pow(0.5, facts_of(done.format).significand_bits);
        if ((plain || backward) && tolerance->value < unit) return "has too few digits";
    }
    const auto declared = precision.range_bits;
    if (done.grade == Grade::bounded && !declared) {
        return "is bounded for a range that nobody declared";
    }
    if (done.range_bits && !declared && done.grade != Grade::best_effort) {
        return "holds for a range, and nobody declared one";
    }
    std::uint32_t reach = done.range_bits.value_or(std::numeric_limits<std::uint32_t>::max());
    if (done.way == Way::emulated && done.grade == Grade::bounded && !done.range_bits) reach = 20;
    if (declared && *declared > reach) return "does not bear the range that was declared";
    return "";
}

}  // namespace

std::string violation(const job::JobSpec& spec,
                      const catalog::ChipRecord& chip,
                      const ChipOffer& offer) {
    std::vector<job::Phase> wanted = spec.work;
    if (wanted.empty() && spec.precision) wanted.push_back({});
    const bool only_result = spec.work.empty();
    wanted.erase(std::remove_if(
                     wanted.begin(),
                     wanted.end(),
                     [&spec](const job::Phase& phase) { return !phase.format && !spec.precision; }),
                 wanted.end());
    if (wanted.size() != offer.phases.size()) return "a phase of the work is not served";

    if (!spec.chips_stack.empty()) {
        bool runs = false;
        std::vector<std::string> stacks = chip.stacks;
        const catalog::Family* family = catalog::family_of(chip.name);
        if (stacks.empty() && family != nullptr) stacks.emplace_back(family->stack);
        for (const std::string& stack : spec.chips_stack)
            runs = runs || std::count(stacks.begin(), stacks.end(), stack) > 0;
        if (!runs) return "it runs none of the stacks";
    }
    const std::vector<job::Accept> accept =
        spec.precision ? spec.precision->accept : std::vector{job::Accept{}};
    double products = 0;  // operations done in a way that stands in for native products
    double all = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        all += wanted[i].flops;
        const Way way = offer.phases[i].way;
        if (wanted[i].op == Op::gemm && (way == Way::emulated || way == Way::refined)) {
            products += wanted[i].flops;
        }
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const PhaseOffer& done = offer.phases[i];
        const Format format = wanted[i].format ? *wanted[i].format : spec.precision->format;
        const std::string who = fmt::format("{}: {}", done.name, name_of(format));
        if (static_cast<double>(spec.chips_memory.count) * done.memory_factor >
            static_cast<double>(chip.memory.count)) {
            return who + " needs more memory than the chip has";
        }
        if (done.way == Way::host) {
            if (products > 0 && products >= all / 2) continue;
            return who + " is left to the processors";
        }
        const auto taken = std::any_of(accept.begin(), accept.end(), [&done](const auto& one) {
            return one.way == done.way && at_least(done.grade, one.least);
        });
        if (!taken) {
            return fmt::format("{} is {} ({}), which is not accepted",
                               who,
                               name_of(done.way),
                               name_of(done.grade));
        }
        if (done.way == Way::native) {
            if (!holds(done.format, format)) {
                return fmt::format("{} is computed in {}", who, name_of(done.format));
            }
            if (has_units(chip, done.format, wanted[i].op, only_result) != 1) {
                return fmt::format("{} has no units that are known", who);
            }
            if (done.format != format && has_units(chip, format, wanted[i].op, only_result) == 0) {
                return who + " has no units, and a wider format does not stand in for them";
            }
            continue;
        }
        if (spec.precision->specials == job::Specials::required && done.grade != Grade::strict) {
            return who + " does not keep special values";
        }
        const std::string short_of = too_short(*spec.precision, done);
        if (!short_of.empty()) return who + " " + short_of;
        const std::string wrong =
            wrong_with(chip, done, format, classes_of(wanted[i].op, only_result), wanted[i].dim);
        if (!wrong.empty()) return who + " " + wrong;
    }
    return "";
}

std::string violation(const job::JobSpec& spec,
                      const fleet::Fleet& fleet,
                      const catalog::Catalog& catalog,
                      const Offers& offers) {
    const Kind* first = nullptr;
    bool others = false;
    for (const PoolOffer& offer : offers.pools) {
        const fleet::Pool& pool = fleet.pool(offer.pool);
        if (!offer.keeps) {
            if (offer.serves) return pool.name + " serves and does not keep the contract";
            if (offer.cost) return pool.name + " has a cost and does not serve";
            others = true;
            continue;
        }
        if (offer.serves && others) return pool.name + " comes after one that does not serve";
        const Kind& kind = offers.kinds.at(offer.kind);
        if (kind.name != pool.chip || !kind.match.offer) return pool.name + " is of another kind";
        const auto& sites = spec.sites;
        if (!sites.empty() && std::count(sites.begin(), sites.end(), pool.site) == 0) {
            return pool.name + " is at another site";
        }
        if (first == nullptr) first = &kind;
        const bool bitwise =
            spec.precision && spec.precision->reproducible == job::Reproducible::bitwise;
        if (bitwise && &kind != first) return pool.name + " is of a second kind";
        const catalog::ChipRecord* record = catalog.find(pool.chip);
        if (record == nullptr || offers.degraded) continue;
        const std::string broken = violation(spec, *record, *kind.match.offer);
        if (!broken.empty()) return pool.name + ": " + broken;
    }
    return "";
}

}  // namespace weir::match
