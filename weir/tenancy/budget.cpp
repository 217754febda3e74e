#include "weir/tenancy/budget.hpp"

#include <array>
#include <chrono>

namespace weir::tenancy {
namespace {

constexpr std::array<std::string_view, 5> names{"day", "week", "month", "quarter", "year"};

Time midnight(std::chrono::sys_days day) {
    return Time{std::chrono::duration_cast<Duration>(day.time_since_epoch())};
}

Time first_of(std::chrono::year year, unsigned month) {
    return midnight(std::chrono::sys_days{year / std::chrono::month{month} / 1});
}

}  // namespace

std::string_view name_of(Period period) {
    return names.at(static_cast<std::size_t>(period));
}

std::optional<Period> period_from_name(std::string_view name) {
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (names.at(i) == name) return static_cast<Period>(i);
    }
    return std::nullopt;
}

Span period_around(Period period, Time at) {
    using namespace std::chrono;
    const sys_days day{floor<days>(at.time_since_epoch())};
    if (period == Period::day) return {midnight(day), midnight(day + days{1})};
    if (period == Period::week) {
        const sys_days monday = day - (weekday{day} - Monday);
        return {midnight(monday), midnight(monday + days{7})};
    }
    const year_month_day date{day};
    const unsigned month = static_cast<unsigned>(date.month());
    const unsigned length = period == Period::month ? 1 : period == Period::quarter ? 3 : 12;
    const unsigned first = (month - 1) / length * length + 1;
    const bool last = first + length > 12;
    return {first_of(date.year(), first),
            first_of(last ? date.year() + years{1} : date.year(), last ? 1 : first + length)};
}

}  // namespace weir::tenancy
