// Voucher: money that only buys some compute (a compute voucher, 算力券).
//
// Somebody else gave it, so it says what for: which chips, from when until when, and which share of
// a bill it may pay at most; its holder pays the rest. A voucher of an organisation serves
// everybody below it as well.
//
// Threads: values and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/base/money.hpp"
#include "weir/tenancy/budget.hpp"

namespace weir::tenancy {

using VoucherId = Id<struct VoucherTag>;  // position in the list of vouchers

// Which chips: every one; those of domestic vendors; or some by name.
struct ChipPredicate {
    bool domestic = false;
    std::vector<std::string> names;

    // `is_domestic` as the catalogue says of the chip.
    [[nodiscard]] bool admits(std::string_view chip, bool is_domestic) const;
    friend bool operator==(const ChipPredicate&, const ChipPredicate&) = default;
};

// A whole, in the unit of Voucher::share_ppm.
inline constexpr std::uint32_t whole_ppm = 1'000'000;

struct Voucher {
    TenantId tenant;
    Money amount;  // above 0
    Span valid;
    ChipPredicate chips;
    std::uint32_t share_ppm = whole_ppm;  // of a bill, at most; above 0

    // What it pays of a bill of `cost` if it has `left` (both in millionths): rounded down, so
    // that it never pays more than its share.
    [[nodiscard]] std::int64_t part_of(std::int64_t cost, std::int64_t left) const;
    friend bool operator==(const Voucher&, const Voucher&) = default;
};

}  // namespace weir::tenancy
