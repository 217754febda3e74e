#include "weir/sched/staging.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "weir/base/assert.hpp"

namespace weir::sched {

Staging::Staging(const fleet::Fleet& fleet) {
    std::map<std::string, SiteId> sites;
    for (const fleet::Site& site : fleet.sites) {
        const SiteId id{static_cast<std::uint32_t>(capacity_.size())};
        sites.emplace(site.name, id);
        capacity_.push_back(site.storage.capacity);
        bytes_per_s_.push_back(site.storage.bytes_per_s);
        for (const auto& [name, size] : site.storage.datasets) {
            Dataset& dataset = datasets_[id_of(name).value];
            dataset.size = size;
            dataset.at[id] = {.whole = true, .for_good = true};
        }
    }
    for (const fleet::Pool& pool : fleet.pools) {
        const auto site = sites.find(pool.site);
        site_of_pool_.push_back(site == sites.end() ? SiteId::none() : site->second);
    }
    for (const fleet::SiteLink& link : fleet.links) {
        links_.push_back({.a = sites.at(link.between[0]),
                          .b = sites.at(link.between[1]),
                          .bytes_per_s = link.bytes_per_s,
                          .latency = link.latency});
    }
}

DatasetId Staging::id_of(const std::string& name) {
    const DatasetId next{static_cast<std::uint32_t>(datasets_.size())};
    const auto [known, is_new] = by_name_.emplace(name, next);
    if (is_new) {
        datasets_.emplace_back();
        datasets_.back().name = name;
    }
    return known->second;
}

std::optional<DatasetId> Staging::find(const std::string& name) const {
    const auto known = by_name_.find(name);
    if (known == by_name_.end()) return std::nullopt;
    return known->second;
}
const std::string& Staging::name(DatasetId dataset) const {
    return datasets_.at(dataset.value).name;
}
Bytes Staging::size(DatasetId dataset) const {
    return datasets_.at(dataset.value).size;
}

bool Staging::is_at(DatasetId dataset, SiteId site) const {
    const auto& at = datasets_.at(dataset.value).at;
    const auto its = at.find(site);
    return its != at.end() && its->second.whole;
}
bool Staging::is_coming(DatasetId dataset, SiteId site) const {
    const auto& at = datasets_.at(dataset.value).at;
    const auto its = at.find(site);
    return its != at.end() && !its->second.whole;
}
bool Staging::is_anywhere(DatasetId dataset) const {
    return !datasets_.at(dataset.value).at.empty();
}

bool Staging::is_held(DatasetId dataset) const {
    const auto& holds = datasets_.at(dataset.value).holds;
    return std::any_of(
        holds.begin(), holds.end(), [](const auto& each) { return each.second > 0; });
}
std::vector<Staging::Place> Staging::places(DatasetId dataset) const {
    std::vector<Place> places;
    for (const auto& [site, at] : datasets_.at(dataset.value).at)
        places.push_back({site, at.whole, at.for_good, at.there_at});
    return places;
}

double Staging::takes_ms(const Dataset& dataset, const Link& link) const {
    double rate = link.bytes_per_s;
    for (const SiteId end : {link.a, link.b}) {
        const double its = bytes_per_s_[end.value];
        if (its > 0) rate = std::min(rate, its);
    }
    const double takes = std::ceil(static_cast<double>(dataset.size.count) * 1000 / rate);
    return takes < static_cast<double>(forever.count() / 4)
               ? takes
               : std::numeric_limits<double>::infinity();
}

Staging::Way Staging::best_way(const Dataset& dataset, SiteId to, Time now) const {
    Way best;
    for (const auto& [from, copy] : dataset.at) {
        if (!copy.whole) continue;
        for (std::uint32_t i = 0; i < links_.size(); ++i) {
            const Link& link = links_[i];
            const bool forth = link.a == from && link.b == to;
            if (!forth && !(link.b == from && link.a == to)) continue;
            const double takes = takes_ms(dataset, link);
            if (std::isinf(takes)) continue;
            const std::uint32_t direction = forth ? 0 : 1;
            const Time begins = std::max(now, link.free_from[direction]);
            const Time ends = begins + link.latency + Duration{static_cast<std::int64_t>(takes)};
            if (ends >= best.ends) continue;
            best = {begins, ends, from, i, direction};
        }
    }
    return best;
}

Bytes Staging::used(SiteId site) const {
    Bytes sum;
    for (const Dataset& dataset : datasets_)
        if (dataset.at.count(site) > 0) sum = sum + dataset.size;
    return sum;
}

bool Staging::may_forget(const Dataset& dataset, SiteId site) const {
    const auto its = dataset.at.find(site);
    if (its == dataset.at.end() || !its->second.whole || its->second.for_good) return false;
    bool another = false;
    for (const auto& [other, at] : dataset.at) {
        if (!at.whole && at.from == site) return false;
        another = another || (at.whole && other != site);
    }
    if (!another) return false;
    const auto holds = dataset.holds.find(site);
    return holds == dataset.holds.end() || holds->second == 0;
}

bool Staging::has_room_for(const std::vector<DatasetId>& datasets, SiteId site) const {
    const Bytes capacity = capacity_[site.value];
    if (capacity.count == 0) return true;
    Bytes sum = used(site);
    for (std::uint32_t i = 0; i < datasets_.size(); ++i) {
        const Dataset& its = datasets_[i];
        const bool wanted =
            std::find(datasets.begin(), datasets.end(), DatasetId{i}) != datasets.end();
        if (wanted && its.at.count(site) == 0) sum = sum + its.size;
        if (!wanted && may_forget(its, site)) sum = sum - its.size;
    }
    return sum <= capacity;
}

bool Staging::could_have(const std::vector<DatasetId>& datasets, SiteId site) const {
    const auto could_come = [&](DatasetId id) {
        const Dataset& dataset = datasets_.at(id.value);
        std::set<SiteId> reached;
        for (const auto& [at, copy] : dataset.at)
            reached.insert(at);
        for (std::size_t before = 0; before < reached.size();) {
            before = reached.size();
            for (const Link& link : links_) {
                if (reached.count(link.a) == reached.count(link.b)) continue;
                if (!std::isinf(takes_ms(dataset, link))) reached.insert({link.a, link.b});
            }
        }
        return reached.count(site) > 0;
    };
    return has_room_for(datasets, site) &&
           std::all_of(datasets.begin(), datasets.end(), could_come);
}

Time Staging::there_at(DatasetId id, SiteId site, Time now) const {
    const Dataset& dataset = datasets_.at(id.value);
    if (const auto its = dataset.at.find(site); its != dataset.at.end()) {
        return its->second.whole ? now : std::max(now, its->second.there_at);
    }
    return has_room_for({id}, site) ? best_way(dataset, site, now).ends : never;
}

Staging::Copy Staging::order(DatasetId id, SiteId to, Time now, std::vector<DatasetId>& forgotten) {
    Dataset& dataset = datasets_.at(id.value);
    const Way way = best_way(dataset, to, now);
    WEIR_ASSERT(way.ends != never && dataset.at.count(to) == 0);
    const Bytes capacity = capacity_[to.value];
    while (capacity.count > 0 && used(to) + dataset.size > capacity) {
        Dataset* oldest = nullptr;
        for (Dataset& other : datasets_) {
            if (!may_forget(other, to)) continue;
            if (oldest == nullptr || other.at.at(to).used_at < oldest->at.at(to).used_at) {
                oldest = &other;
            }
        }
        WEIR_ASSERT(oldest != nullptr);
        oldest->at.erase(to);
        forgotten.push_back(DatasetId{static_cast<std::uint32_t>(oldest - datasets_.data())});
    }
    links_[way.link].free_from[way.direction] = way.ends;
    dataset.at[to] = {
        .whole = false, .for_good = false, .there_at = way.ends, .used_at = now, .from = way.from};
    return {.dataset = id, .from = way.from, .to = to, .begins = way.begins, .ends = way.ends};
}

void Staging::arrived(DatasetId id, SiteId site, Time now) {
    At& at = datasets_.at(id.value).at[site];
    at.whole = true;
    at.there_at = at.used_at = now;
}

void Staging::made(DatasetId id, Bytes size, SiteId site, Time now) {
    datasets_.at(id.value).size = size;
    arrived(id, site, now);
    datasets_.at(id.value).at[site].for_good = true;
}

void Staging::lost(DatasetId id, SiteId site) {
    datasets_.at(id.value).at.erase(site);
}

void Staging::ordered(DatasetId id, SiteId from, SiteId to, Time ends) {
    datasets_.at(id.value).at.try_emplace(
        to, At{.whole = false, .for_good = false, .there_at = ends, .used_at = {}, .from = from});
}

void Staging::hold(DatasetId id, SiteId site) {
    ++datasets_.at(id.value).holds[site];
}

void Staging::release(DatasetId id, SiteId site, Time now) {
    Dataset& dataset = datasets_.at(id.value);
    WEIR_ASSERT(dataset.holds.at(site) > 0);
    --dataset.holds.at(site);
    if (const auto its = dataset.at.find(site); its != dataset.at.end()) its->second.used_at = now;
}

}  // namespace weir::sched
