#include "weir/catalog/way.hpp"

#include <algorithm>
#include <array>

namespace weir::catalog {
namespace {

const std::vector<std::string_view> op_names{
    "gemm", "vector", "spmv", "fft", "attention", "other", "memory"};
const std::vector<std::string_view> ways{
    "native", "emulated", "refined", "pair", "quantised", "host"};
const std::vector<std::string_view> grades{"strict", "certified", "bounded", "best_effort"};

template <class Enum>
std::optional<Enum> find(const std::vector<std::string_view>& names, std::string_view name) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return std::nullopt;
    return static_cast<Enum>(found - names.begin());
}

}  // namespace

std::string_view name_of(Op op) {
    return op_names.at(static_cast<std::size_t>(op));
}
std::optional<Op> op_from_name(std::string_view name) {
    return find<Op>(op_names, name);
}

std::string_view name_of(Way way) {
    return ways.at(static_cast<std::size_t>(way));
}
std::optional<Way> way_from_name(std::string_view name) {
    return find<Way>(ways, name);
}
const std::vector<std::string_view>& way_names() {
    return ways;
}
const std::vector<std::string_view>& acceptable_ways() {
    static const std::vector<std::string_view> names(ways.begin(), ways.end() - 1);
    return names;
}

std::string_view name_of(Grade grade) {
    return grades.at(static_cast<std::size_t>(grade));
}
std::optional<Grade> grade_from_name(std::string_view name) {
    return find<Grade>(grades, name);
}
const std::vector<std::string_view>& grade_names() {
    return grades;
}

Grade usual_grade(Way way) {
    switch (way) {
        case Way::native:
        case Way::host:
            return Grade::strict;
        case Way::emulated:
        case Way::refined:
            return Grade::certified;
        case Way::pair:
            return Grade::bounded;
        case Way::quantised:
            return Grade::best_effort;
    }
    return Grade::strict;
}

}  // namespace weir::catalog
