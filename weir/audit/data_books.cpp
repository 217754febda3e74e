#include "weir/audit/data_books.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace weir::audit {

DataBooks::DataBooks(const Header& header) {
    std::map<std::string, std::size_t> positions;
    for (const fleet::Site& its : header.fleet.sites) {
        Site site{.name = its.name,
                  .capacity = its.storage.capacity,
                  .bytes_per_s = its.storage.bytes_per_s,
                  .whole = {},
                  .for_good = {},
                  .coming = {},
                  .uses = {}};
        for (const auto& [name, size] : its.storage.datasets) {
            sizes_[name] = size;
            site.whole.insert(name);
            site.for_good.insert(name);
        }
        positions.emplace(its.name, sites_.size());
        sites_.push_back(std::move(site));
    }
    for (const fleet::Pool& pool : header.fleet.pools) {
        const auto its = positions.find(pool.site);
        if (its == positions.end()) {  // a fleet that does not list its sites
            positions.emplace(pool.site, sites_.size());
            sites_.push_back({.name = pool.site,
                              .capacity = {},
                              .bytes_per_s = 0,
                              .whole = {},
                              .for_good = {},
                              .coming = {},
                              .uses = {}});
        }
        site_of_pool_.push_back(positions.at(pool.site));
    }
    for (const fleet::SiteLink& its : header.fleet.links) {
        links_.push_back({.ends = {positions.at(its.between[0]), positions.at(its.between[1])},
                          .bytes_per_s = its.bytes_per_s,
                          .latency = its.latency});
    }
}

std::string DataBooks::carried(const Copied& copy, Time now) {
    if (links_.empty()) return "";  // a log that says nothing of links
    const auto wrong = [&](const std::string& what) {
        return fmt::format("{} is copied from {} to {} {}",
                           copy.dataset,
                           sites_[copy.from].name,
                           sites_[copy.to].name,
                           what);
    };
    if (copy.over.empty()) return wrong("over no link");
    if (copy.begins < now) return wrong("from a time on that is over");
    std::size_t at = copy.from;
    double rate = std::numeric_limits<double>::infinity();
    for (const std::size_t end : {copy.from, copy.to})
        if (sites_[end].bytes_per_s > 0) rate = std::min(rate, sites_[end].bytes_per_s);
    Duration latency{};
    for (const std::uint32_t number : copy.over) {
        if (number >= links_.size()) return wrong("over a link that does not exist");
        Link& link = links_[number];
        if (link.ends[0] != at && link.ends[1] != at) {
            return wrong(
                fmt::format("over link {}, which does not begin at {}", number, sites_[at].name));
        }
        const std::size_t direction = link.ends[0] == at ? 0 : 1;
        if (link.free_from[direction] > copy.begins) {
            return wrong(fmt::format("over link {} while it carries something else", number));
        }
        link.free_from[direction] = copy.until;
        at = link.ends[1 - direction];
        rate = std::min(rate, link.bytes_per_s);
        latency += link.latency;
    }
    if (at != copy.to) return wrong("over links that end at " + sites_[at].name);
    const double least = static_cast<double>(sizes_.at(copy.dataset).count) * 1000 / rate;
    constexpr double rounding_ms = 1;
    const auto takes = static_cast<double>((copy.until - copy.begins - latency).count());
    return takes + rounding_ms < least ? wrong("faster than that goes") : "";
}

std::string DataBooks::overfull(const Site& site) const {
    if (site.capacity.count == 0) return "";
    __int128 sum = 0;
    for (const std::string& name : site.whole)
        sum += sizes_.at(name).count;
    for (const auto& [name, at] : site.coming)
        sum += sizes_.at(name).count;
    if (sum <= site.capacity.count) return "";
    return fmt::format(
        "{} has to keep more than the {} it has", site.name, format_bytes(site.capacity));
}

std::string DataBooks::ordered(const Copied& copy, Time now) {
    if (copy.from >= sites_.size() || copy.to >= sites_.size() || copy.from == copy.to ||
        sizes_.count(copy.dataset) == 0) {
        return fmt::format("a copy of {} goes to or from what does not exist", copy.dataset);
    }
    if (sites_[copy.from].whole.count(copy.dataset) == 0) {
        return fmt::format(
            "{} is copied from {}, where it does not lie", copy.dataset, sites_[copy.from].name);
    }
    Site& to = sites_[copy.to];
    if (to.whole.count(copy.dataset) > 0 || to.coming.count(copy.dataset) > 0) {
        return fmt::format("{} is copied to {} again", copy.dataset, to.name);
    }
    to.coming[copy.dataset] = copy.until;
    std::string problem = carried(copy, now);
    return problem.empty() ? overfull(to) : problem;
}

std::string DataBooks::arrived(const Arrived& arrived, Time now) {
    if (arrived.site >= sites_.size()) return "a copy arrives where nothing is";
    Site& site = sites_[arrived.site];
    const auto its = site.coming.find(arrived.dataset);
    if (its == site.coming.end()) {
        return fmt::format("{} is at {}, and nobody copied it", arrived.dataset, site.name);
    }
    const bool early = now < its->second;
    site.coming.erase(its);
    site.whole.insert(arrived.dataset);
    return early ? fmt::format("{} is at {} before its time", arrived.dataset, site.name) : "";
}

std::string DataBooks::forgotten(const Forgotten& forgotten) {
    if (forgotten.site >= sites_.size()) return "something is forgotten where nothing is";
    Site& site = sites_[forgotten.site];
    if (site.whole.erase(forgotten.dataset) == 0) {
        return fmt::format("{} forgets {}, which is not there", site.name, forgotten.dataset);
    }
    if (site.for_good.count(forgotten.dataset) > 0) {
        return fmt::format(
            "{} forgets {}, which lies there for good", site.name, forgotten.dataset);
    }
    if (site.uses[forgotten.dataset] > 0) {
        return fmt::format(
            "{} forgets {}, beside which somebody runs", site.name, forgotten.dataset);
    }
    return "";
}

void DataBooks::use(const std::vector<std::string>& datasets,
                    const fleet::Placement& on,
                    bool begins) {
    if (datasets.empty() || on.ranges.empty()) return;
    Site& site = site_of(on.ranges.front().pool);
    for (const std::string& name : datasets)
        begins ? ++site.uses[name] : --site.uses[name];
}

std::string DataBooks::missing(const std::vector<std::string>& datasets,
                               const fleet::Placement& on) const {
    for (const std::string& name : datasets) {
        for (const fleet::NodeRange& range : on.ranges) {
            const Site& site = site_of(range.pool);
            if (site.whole.count(name) == 0) {
                return fmt::format("{}, which it reads, is not at {}", name, site.name);
            }
        }
    }
    return "";
}

}  // namespace weir::audit
