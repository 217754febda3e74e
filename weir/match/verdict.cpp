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

using Rates = std::vector<const Rate*>;

// The operations whose rates count for another, the nearest first. Of an answer of which only the
// format is said (`any_op`) each counts by itself.
std::vector<std::string_view> classes_of(Op op, bool any_op) {
    if (any_op) return {"vector", "gemm"};
    if (op == Op::attention) return {"attention", "gemm", "vector"};
    if (op == Op::gemm) return {"gemm", "vector"};
    if (op == Op::spmv) return {"spmv", "vector"};
    if (op == Op::fft) return {"fft", "vector"};
    return {"vector"};
}

// The chip's native units for it: with a rate of 0 it has none, and nullptr is that nobody knows.
const Rate* units_for(const catalog::ChipRecord& chip, Format format, Op op, bool any_op) {
    const Rate* units = nullptr;
    for (const std::string_view one : classes_of(op, any_op)) {
        const Rate* rate = chip.rate(name_of(format), one);
        if (units == nullptr || (any_op && units->value <= 0 && rate != nullptr)) units = rate;
    }
    return units;
}

// The last word on something: sorted by how well it is founded, then by its date.
const Rate* last_word(Rates rates) {
    if (rates.empty()) return nullptr;
    std::stable_sort(rates.begin(), rates.end(), [](const Rate* a, const Rate* b) {
        return std::pair(a->basis, b->date) < std::pair(b->basis, a->date);
    });
    return rates.front();
}

bool int8_is_inexact(const catalog::ChipRecord& chip) {
    Rates findings;
    for (const Rate& rate : chip.rates) {
        if (rate.format == "int8" && rate.op == "gemm" && rate.way == Way::native && rate.exact)
            findings.push_back(&rate);
    }
    const Rate* last = last_word(findings);
    return last != nullptr && !*last->exact;
}

std::string not_founded(const PhaseOffer& done, const Rate& word, std::uint64_t dim) {
    const double rate = rate_at(word, dim == 0 ? 8192 : dim);
    if (std::abs(done.rate - rate) <= 1e-9 * rate) return "";
    return fmt::format("counts on {:g}, and the best founded rate is {:g}", done.rate, rate);
}

// The last word on a method: of the rates that name it, and of those that name none.
const Rate* word_on(const std::string& method, const Rates& said) {
    Rates of_it;
    for (const Rate* rate : said) {
        if (rate->method.empty() || rate->method == method) of_it.push_back(rate);
    }
    return last_word(std::move(of_it));
}

// What is wrong with a way, by all that the catalogue says of it in one class of operations.
std::string wrong_by(const Rates& said, const PhaseOffer& done, const job::Phase& wanted) {
    if (const Rate* word = word_on(done.method, said)) {
        if (word->value <= 0) return "is done in a way that the chip does not have";
        const auto any = std::numeric_limits<std::uint32_t>::max();
        if (!at_least(word->grade, done.grade) || done.memory_factor < word->memory_factor ||
            done.range_bits.value_or(any) > word->range_bits.value_or(any)) {
            return "claims more than the catalogue says of it";
        }
        return not_founded(done, *word, wanted.dim);
    }
    // Only how fast products on INT8 units are may be derived beside what is said of other methods.
    const bool derived = done.way == Way::emulated && wanted.op == Op::gemm &&
                         done.method.rfind("oz2-int8-", 0) == 0;
    const bool none = std::any_of(said.begin(), said.end(), [&said](const Rate* rate) {
        return word_on(rate->method, said)->value <= 0;
    });
    return derived && !none ? "" : "is a guess, and the catalogue knows better";
}

// What is wrong with standing in for native units by this way.
std::string wrong_with(const catalog::ChipRecord& chip,
                       const PhaseOffer& done,
                       Format format,
                       const job::Phase& wanted,
                       bool any_op) {
    if (done.way == Way::emulated && int8_is_inexact(chip) &&
        (done.method.empty() || done.method.find("int8") != std::string::npos)) {
        return "is built on INT8 products that are not exact";
    }
    std::string wrong;
    for (const std::string_view op : classes_of(wanted.op, any_op)) {
        Rates said;
        for (const Rate& rate : chip.rates) {
            if (rate.way == done.way && rate.format == name_of(format) && rate.op == op) {
                said.push_back(&rate);
            }
        }
        if (said.empty()) continue;
        wrong = wrong_by(said, done, wanted);
        if (wrong.empty() || !any_op) break;
    }
    return wrong;
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
            const Rate* units = units_for(chip, done.format, wanted[i].op, only_result);
            if (units == nullptr || units->value <= 0) {
                return fmt::format("{} has no units that are known", who);
            }
            const Rate* own = units_for(chip, format, wanted[i].op, only_result);
            if (done.format != format && own != nullptr && own->value <= 0) {
                return who + " has no units, and a wider format does not stand in for them";
            }
            const std::string wrong = not_founded(done, *units, wanted[i].dim);
            if (!wrong.empty()) return who + " " + wrong;
            continue;
        }
        if (spec.precision->specials == job::Specials::required && done.grade != Grade::strict) {
            return who + " does not keep special values";
        }
        const std::string short_of = too_short(*spec.precision, done);
        if (!short_of.empty()) return who + " " + short_of;
        const std::string wrong = wrong_with(chip, done, format, wanted[i], only_result);
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
