// Every site of a fleet as a centre of its own (`--each-site`): what three schedulers do that know
// nothing of one another, replayed one by one and added up to one run of the whole fleet.
//
// A site has its own pools, and of every quota and limit the share that its pools have of what the
// quota counts in: of a right to 100 h200, two thirds of which stand in hefei, 66 are for hefei and
// 34 for the other site. A job goes to one site for good, as its user would decide who has an
// account at each: of those that could ever serve it, where its organisation owns most of what it
// needs, and where it owns as much in several, the first one that it accepts. What a job reads is
// fetched over the links of the fleet from wherever it lies; each site reckons that it has a link
// for itself.
//
// All are counted over the same time, from the first submission anywhere to the last end anywhere,
// so that what stands idle in one centre while another one is still at work is not forgotten.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "weir/fleet/fleet.hpp"
#include "weir/sched/engine.hpp"
#include "weir/sim/demand_of.hpp"
#include "weir/sim/house_use_meter.hpp"
#include "weir/sim/power_meter.hpp"
#include "weir/sim/simulator.hpp"
#include "weir/tenancy/quota_tree.hpp"
#include "weir/tenancy/waterfall.hpp"

namespace weir::sim {

struct SiteAlone {
    std::string name;
    fleet::Fleet fleet;         // only its pools; all sites and links, for what lies there
    std::vector<PoolId> pools;  // beside fleet.pools: positions in the whole fleet
    tenancy::Organisations organisations;  // with its share of the quotas
};

// Sites with pools, in the order of the fleet.
std::vector<SiteAlone> sites_alone(const fleet::Fleet& fleet,
                                   const tenancy::Organisations& house,
                                   const tenancy::RateOf& rate_of);

class SiteChoice {
public:
    // Requires: all outlive it.
    SiteChoice(const Trace& trace,
               const std::vector<SiteAlone>& sites,
               const SimulationOptions& options);

    struct Answer {
        bool fits = false;                // on some site, whoever asks
        bool may = false;                 // and its organisation may have so much there
        std::optional<std::size_t> site;  // where it goes: what it reads can be there, too
    };
    // Requires: where organisations have rights, the tenant is one of them.
    [[nodiscard]] Answer of(const TraceJob& job, TenantId tenant);

private:
    struct Judge {
        DemandsOf demands;
        sched::Engine engine;  // that never runs anything
        tenancy::QuotaTree owned;
    };
    [[nodiscard]] static double share_owned(const Judge& judge,
                                            const fleet::Demand& demand,
                                            TenantId tenant);

    const std::vector<SiteAlone>& sites_;
    DemandsOf whole_;  // knows the order in which a job prefers pools
    std::vector<std::size_t> site_of_pool_;
    std::vector<Judge> judges_;
};

// What the sites' own records come to together. Requires: all were counted over the same time.
tenancy::Books books_together(const fleet::Fleet& fleet, const std::vector<tenancy::Books>& sites);
HouseHoursTable houses_together(const std::vector<HouseHoursTable>& sites);
// Highest moments of sites whose records are too long to be kept whole are those of their bins.
PowerRecord power_together(std::vector<PowerRecord> sites);

// Positions of one site's fleet as those of the whole.
void move_to_whole(const SiteAlone& site, std::vector<ScheduledJob>& jobs);
void move_to_whole(const SiteAlone& site, std::vector<HeldAttempt>& attempts);
void move_to_whole(const SiteAlone& site, PowerRecord& record);

}  // namespace weir::sim
