// Budget: what an organisation, with everybody below it, may spend in a period of the calendar.
//
// A budget is a limit and not an account: it is full again when the next period begins, and what
// was left is gone. Periods are those of the calendar in UTC: days, weeks from Monday on, months,
// quarters, years. Who belongs to an organisation that belongs to another one spends of both
// budgets. What a voucher pays is not spent.
//
// Threads: values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "weir/base/id.hpp"
#include "weir/base/money.hpp"
#include "weir/base/time.hpp"

namespace weir::tenancy {

enum class Period : std::uint8_t { day, week, month, quarter, year };
std::string_view name_of(Period period);
std::optional<Period> period_from_name(std::string_view name);

// From `begins` on, before `ends`.
struct Span {
    Time begins;
    Time ends;

    [[nodiscard]] bool holds(Time at) const { return begins <= at && at < ends; }
    friend bool operator==(const Span&, const Span&) = default;
};

// The period of the calendar in which `at` lies.
Span period_around(Period period, Time at);

struct Budget {
    TenantId tenant;
    Money amount;  // above 0
    Period period = Period::month;

    friend bool operator==(const Budget&, const Budget&) = default;
};

}  // namespace weir::tenancy
