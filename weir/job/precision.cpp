#include "weir/job/precision.hpp"

#include <algorithm>
#include <array>

namespace weir::job {
namespace {

constexpr std::array<std::string_view, 3> specials_names{"by_grade", "ignore", "required"};
constexpr std::array<std::string_view, 3> reproducible_names{"none", "run_to_run", "bitwise"};
constexpr std::array<std::string_view, 3> unsatisfied_names{"wait", "fail", "degrade"};

template <class Enum>
std::optional<Enum> find(const std::array<std::string_view, 3>& names, std::string_view name) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return std::nullopt;
    return static_cast<Enum>(found - names.begin());
}

}  // namespace

std::optional<Accept> accept_from_text(std::string_view text) {
    const auto relation = text.find(">=");
    const auto way = catalog::way_from_name(text.substr(0, relation));
    if (!way || *way == catalog::Way::host) return std::nullopt;
    if (relation == std::string_view::npos) return Accept{*way, catalog::usual_grade(*way)};
    const auto grade = catalog::grade_from_name(text.substr(relation + 2));
    // Native arithmetic is strict; a grade beside it would promise less than it keeps.
    if (!grade || *way == catalog::Way::native) return std::nullopt;
    return Accept{*way, *grade};
}

std::string accept_text(const Accept& accept) {
    std::string text(catalog::name_of(accept.way));
    if (accept.least != catalog::usual_grade(accept.way)) {
        text += ">=" + std::string(catalog::name_of(accept.least));
    }
    return text;
}

std::string_view name_of(Specials specials) {
    return specials_names.at(static_cast<std::size_t>(specials));
}
std::string_view name_of(Reproducible reproducible) {
    return reproducible_names.at(static_cast<std::size_t>(reproducible));
}
std::string_view name_of(Unsatisfied unsatisfied) {
    return unsatisfied_names.at(static_cast<std::size_t>(unsatisfied));
}

std::optional<Specials> specials_from_name(std::string_view name) {
    return find<Specials>(specials_names, name);
}
std::optional<Reproducible> reproducible_from_name(std::string_view name) {
    return find<Reproducible>(reproducible_names, name);
}
std::optional<Unsatisfied> unsatisfied_from_name(std::string_view name) {
    return find<Unsatisfied>(unsatisfied_names, name);
}

}  // namespace weir::job
