#include "weir/match/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir::match {
namespace {

using catalog::Format;
using catalog::Grade;
using catalog::Op;
using catalog::Way;

// Whether the chip has native units for it: 1 yes, 0 no, -1 nobody knows.
int has_units(const catalog::ChipRecord& chip, Format format, Op op, bool any_op) {
    std::vector<std::string_view> classes;
    if (op == Op::attention) classes = {"attention", "gemm", "vector"};
    if (op == Op::gemm) classes = {"gemm", "vector"};
    if (op == Op::spmv) classes = {"spmv", "vector"};
    if (op == Op::fft) classes = {"fft", "vector"};
    if (classes.empty()) classes = {"vector"};
    if (op == Op::other && any_op) classes = {"vector", "gemm"};
    for (const std::string_view one : classes) {
        const catalog::Rate* rate = chip.rate(name_of(format), one);
        if (rate != nullptr) return rate->value > 0 ? 1 : 0;
    }
    return -1;
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
        for (const std::string& stack : spec.chips_stack)
            runs = runs || std::count(chip.stacks.begin(), chip.stacks.end(), stack) > 0;
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
        if (done.way == Way::emulated && done.grade == Grade::bounded &&
            !spec.precision->range_bits) {
            return who + " is bounded for a range that nobody declared";
        }
    }
    return "";
}

}  // namespace weir::match
