// Staging: where datasets lie, what is being copied over which link, and when a copy will be there.
//
// A dataset lies whole at one site or several, or is on its way there. A link carries one copy
// after the other each way, so when a copy will be there is known when it is ordered, and nobody
// waits longer than if all shared the link. A copy goes over one link or, through sites that keep
// nothing of it, over several at the same time: it begins when all of them are free, and goes at
// the least of what they and the storages at both ends do. Of all ways it takes the one by which it
// is there first.
//
// What lies at a site for good stays. Of other copies a site with a capacity forgets the ones that
// nobody holds when it needs their room, the longest unused first; whoever waits for a copy there,
// or runs beside it, holds it, as does a copy that is made of it. The last one is never forgotten.
//
// Threads: one at a time. Cost: O(copies and links) each, of a way O(sites x links) for each that
// is not worse than another in everything; there are few.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/fleet/fleet.hpp"

namespace weir::sched {

using DatasetId = Id<struct DatasetTag>;  // in the order in which they were first named
using SiteId = Id<struct SiteTag>;        // position in Fleet::sites

class Staging {
public:
    explicit Staging(const fleet::Fleet& fleet);

    [[nodiscard]] SiteId site_of(PoolId pool) const { return site_of_pool_.at(pool.value); }

    [[nodiscard]] std::uint32_t count() const {  // of datasets, whose ids are 0, 1, 2 ...
        return static_cast<std::uint32_t>(datasets_.size());
    }
    // One that nobody has named before lies nowhere and has no size.
    DatasetId id_of(const std::string& name);
    [[nodiscard]] std::optional<DatasetId> find(const std::string& name) const;
    [[nodiscard]] const std::string& name(DatasetId dataset) const;
    [[nodiscard]] Bytes size(DatasetId dataset) const;

    [[nodiscard]] bool is_at(DatasetId dataset, SiteId site) const;
    [[nodiscard]] bool is_coming(DatasetId dataset, SiteId site) const;
    [[nodiscard]] bool is_anywhere(DatasetId dataset) const;
    [[nodiscard]] bool is_held(DatasetId dataset) const;  // anywhere, whether it is there or not
    struct Place {
        SiteId site;
        bool whole = false;  // else it is on its way
        bool for_good = false;
        Time there_at{};
    };
    [[nodiscard]] std::vector<Place> places(DatasetId dataset) const;
    // `now` where it lies, when its copy is there where it is under way, else when a copy would be
    // there that was ordered now; `never` if nothing leads there or there is no room for it.
    [[nodiscard]] Time there_at(DatasetId dataset, SiteId site, Time now) const;

    // Whether a site has room for all of them at the same time.
    [[nodiscard]] bool has_room_for(const std::vector<DatasetId>& datasets, SiteId site) const;

    // Whether a site could ever have all of them: links lead there from where each of them lies or
    // comes, and there is room. Only what lies for good and what is held takes room for ever, so
    // this is best asked before anything was copied.
    [[nodiscard]] bool could_have(const std::vector<DatasetId>& datasets, SiteId site) const;

    struct Copy {
        DatasetId dataset;
        SiteId from;
        SiteId to;
        Time begins{};
        Time ends{};
        std::vector<std::uint32_t> links{};  // positions in Fleet::links, in the order of the way
    };
    // Requires: there_at() is not never, and it neither lies there nor comes. `forgotten` gets what
    // had to make room; of what nobody holds that is the longest unused.
    Copy order(DatasetId dataset, SiteId to, Time now, std::vector<DatasetId>& forgotten);

    // It is there now, or will never be: a copy that was ordered, or what somebody made or moved.
    void arrived(DatasetId dataset, SiteId site, Time now);
    void made(DatasetId dataset, Bytes size, SiteId site, Time now);
    void lost(DatasetId dataset, SiteId site);
    // It was ordered by somebody who knew another way.
    void ordered(DatasetId dataset, SiteId from, SiteId to, Time ends);

    // As often released as held.
    void hold(DatasetId dataset, SiteId site);
    void release(DatasetId dataset, SiteId site, Time now);

private:
    struct At {  // a copy at a site, whole or under way
        bool whole = false;
        bool for_good = false;
        Time there_at{};
        Time used_at{};
        SiteId from{};  // of one that is under way
    };
    struct Dataset {
        std::string name;
        Bytes size;
        std::map<SiteId, At> at;
        std::map<SiteId, std::uint32_t> holds;  // also where it is not yet
    };
    struct Link {
        SiteId a;
        SiteId b;
        double bytes_per_s = 0;
        Duration latency{};
        Time free_from[2] = {Time::min(), Time::min()};  // each way
    };
    struct Step {  // over a link
        std::uint32_t link = 0;
        std::uint32_t direction = 0;
    };
    struct Way {  // of a copy that is ordered now
        Time begins = never;
        Time ends = never;
        SiteId from;
        std::vector<Step> steps{};
    };

    // `anywhere`: also from where it is not yet whole.
    [[nodiscard]] Way best_way(const Dataset& dataset,
                               SiteId to,
                               Time now,
                               bool anywhere = false) const;
    [[nodiscard]] Bytes used(SiteId site) const;
    [[nodiscard]] bool may_forget(const Dataset& dataset, SiteId site) const;

    std::vector<SiteId> site_of_pool_;
    std::vector<Bytes> capacity_;      // by site; 0 = not counted
    std::vector<double> bytes_per_s_;  // by site; 0 = no limit
    std::vector<Link> links_;
    std::vector<Dataset> datasets_;
    std::map<std::string, DatasetId> by_name_;
};

}  // namespace weir::sched
