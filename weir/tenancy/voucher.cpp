#include "weir/tenancy/voucher.hpp"

#include <algorithm>

namespace weir::tenancy {

bool ChipPredicate::admits(std::string_view chip, bool is_domestic) const {
    if (domestic) return is_domestic;
    return names.empty() || std::find(names.begin(), names.end(), chip) != names.end();
}

std::int64_t Voucher::part_of(std::int64_t cost, std::int64_t left) const {
    __extension__ using Wide = __int128;
    const auto share = static_cast<std::int64_t>(Wide{cost} * share_ppm / whole_ppm);
    return std::clamp<std::int64_t>(share, 0, std::max<std::int64_t>(left, 0));
}

}  // namespace weir::tenancy
