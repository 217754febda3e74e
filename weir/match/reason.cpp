// Reasons and offers in words.
#include <fmt/format.h>

#include <array>

#include "weir/match/match.hpp"

namespace weir::match {
namespace {

constexpr std::array<std::string_view, 23> names{
    "not_listed",    "other_site",     "no_chips",          "unknown_chip",
    "other_stack",   "stack_unknown",  "too_little_memory", "memory_unknown",
    "no_units",      "units_unknown",  "not_accepted",      "grade_too_low",
    "range_unknown", "range_too_wide", "specials",          "tolerance",
    "one_kind",      "too_few_chips",  "too_few_cpus",      "too_little_node_memory",
    "too_few_nodes", "inexact",        "never_fits"};

std::string way_of(const Reason& reason) {
    return reason.way == catalog::Way::native
               ? "native"
               : fmt::format("{} ({})", name_of(reason.way), name_of(reason.grade));
}

// "gemm in fp64".
std::string work_of(const Reason& reason) {
    if (reason.op == catalog::Op::other) return std::string(name_of(reason.format));
    return fmt::format("{} {}", name_of(reason.format), name_of(reason.op));
}

std::string shown_cpus(std::int64_t milli) {
    return milli % 1000 == 0 ? std::to_string(milli / 1000)
                             : fmt::format("{:g}", static_cast<double>(milli) / 1000);
}

}  // namespace

std::string_view name_of(Why why) {
    return names.at(static_cast<std::size_t>(why));
}

std::string sentence_of(const Reason& reason) {
    const std::string work = work_of(reason);
    switch (reason.why) {
        case Why::not_listed:
            return "chips.any_of does not name it";
        case Why::other_site:
            return "sites does not name its site";
        case Why::no_chips:
            return "its nodes have no such chips";
        case Why::unknown_chip:
            return "the catalogue does not know it, so nothing is promised of it";
        case Why::other_stack:
            return fmt::format("it runs {}, which chips.stack does not name", reason.other);
        case Why::stack_unknown:
            return "which software runs on it is not known";
        case Why::too_little_memory:
            return fmt::format("{} needs {} of memory on each chip, and it has {}",
                               reason.phase.empty()
                                   ? std::string("the job")
                                   : fmt::format("{}, {},", reason.phase, name_of(reason.way)),
                               format_bytes({reason.asked}),
                               format_bytes({reason.has}));
        case Why::memory_unknown:
            return "how much memory it has is not known";
        case Why::no_units:
            return fmt::format("{} wants {}, and it has no such units", reason.phase, work);
        case Why::units_unknown:
            return fmt::format(
                "{} wants {}, and whether it has such units is not known", reason.phase, work);
        case Why::not_accepted:
            return fmt::format(
                "{} could be {}, which the job does not accept", reason.phase, way_of(reason));
        case Why::grade_too_low:
            return fmt::format("{} would be only {}, below the grade that the job accepts",
                               reason.phase,
                               way_of(reason));
        case Why::range_unknown:
            return fmt::format("{} would be {}, which holds for a declared range_bits only",
                               reason.phase,
                               way_of(reason));
        case Why::range_too_wide:
            return fmt::format("{} would be {}, which does not bear a range of {} bits",
                               reason.phase,
                               way_of(reason),
                               reason.asked);
        case Why::specials:
            return fmt::format("{} would be {}, where special values do not behave as required",
                               reason.phase,
                               way_of(reason));
        case Why::tolerance:
            return reason.has > 0
                       ? fmt::format("{} would be {} with {} bits, fewer than the tolerance needs",
                                     reason.phase,
                                     way_of(reason),
                                     reason.has)
                       : fmt::format(
                             "{} would be {}, which promises a backward_error and not "
                             "that tolerance",
                             reason.phase,
                             way_of(reason));
        case Why::one_kind:
            return fmt::format("results have to be equal bit by bit, so only {} serves",
                               reason.other);
        case Why::too_few_chips:
            return fmt::format(
                "a replica wants {} chips on one node, which has {}", reason.asked, reason.has);
        case Why::too_few_cpus:
            return fmt::format("a replica wants {} CPUs on one node, which has {}",
                               shown_cpus(reason.asked),
                               shown_cpus(reason.has));
        case Why::too_little_node_memory:
            return fmt::format("a replica wants {} on one node, which has {}",
                               format_bytes({reason.asked}),
                               format_bytes({reason.has}));
        case Why::too_few_nodes:
            return fmt::format("it holds {} of {} replicas", reason.has, reason.asked);
        case Why::inexact:
            return fmt::format("{} would be {} on INT8 products, which were found inexact",
                               reason.phase,
                               way_of(reason));
        case Why::never_fits:
            return reason.other;
    }
    return "";
}

std::string how(const ChipOffer& offer) {
    const auto one = [](const PhaseOffer& phase) {
        std::string text(name_of(phase.way));
        if (phase.way == catalog::Way::native && phase.format != phase.asked) {
            text += fmt::format(" in {}", name_of(phase.format));
        }
        if (!phase.method.empty()) text += " " + phase.method;
        if (phase.grade != catalog::Grade::strict)
            text += fmt::format(" ({})", name_of(phase.grade));
        return text;
    };
    std::string text;
    bool same = true;
    for (const PhaseOffer& phase : offer.phases) {
        same = same && one(phase) == one(offer.phases.front());
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", phase.name, one(phase));
    }
    if (offer.phases.empty()) return "as it is";
    return same ? one(offer.phases.front()) : text;
}

}  // namespace weir::match
