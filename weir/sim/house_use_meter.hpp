// HouseUseMeter: what organisations held over a run, of their own and of what others lent.
//
// Counted for the houses below the root, each with everybody inside it: what a house holds at a
// moment is its own as far as its quotas reach, and borrowed beyond. Chips of several kinds are
// added up, each against the quota of its kind, where quotas name chips at all; quotas in other
// resources are then left out, because their amounts are no chips. Where none names chips, the
// first resource that is named counts.
//
// Threads: one at a time. Cost of a start or an end: O(resources that it counts), plus the depth of
// its organisation.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weir/base/time.hpp"
#include "weir/tenancy/rights.hpp"

namespace weir::sim {

// Over a whole run, in hours of what `counted_in` says.
struct HouseHours {
    std::string path;
    double owned = 0;     // what its quotas are worth over the time
    double own = 0;       // that it held of them
    double borrowed = 0;  // that it held beyond them

    [[nodiscard]] double held() const { return own + borrowed; }
};

struct HouseHoursTable {
    std::string counted_in;          // "chip-hours", "CPU-hours", "hours of 1 MFLOP/s of bf16"
    std::vector<HouseHours> houses;  // in the order of the tenants file; empty: nobody is limited
};

class HouseUseMeter {
public:
    // Counts from `from` on; it looks at the rights only here.
    HouseUseMeter(const tenancy::Rights& rights, Time from);

    // Requires: times never go back; what is given back was taken.
    void hold(TenantId house, const tenancy::Charges& charges, bool taking, Time now);
    [[nodiscard]] HouseHoursTable until(Time now);

private:
    struct Cell {
        tenancy::Amount quota = 0;
        tenancy::Amount held = 0;
        Time since{};
        double own = 0;  // amount x seconds
        double borrowed = 0;
    };
    void close(Cell& cell, Time now) const;

    Time from_{};
    double hour_ = 1;  // amount x seconds of one hour of what is counted
    std::string counted_in_;
    std::vector<bool> counts_;         // by resource
    std::vector<std::uint32_t> tops_;  // by tenant: position in names_; the root has none
    std::vector<std::string> names_;
    std::vector<Cell> cells_;  // by house, then resource
};

}  // namespace weir::sim
