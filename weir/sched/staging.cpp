#include "weir/sched/staging.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

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

namespace {

// For how long a copy is under way at that rate; infinite where it would never come to an end.
double takes_ms(Bytes size, double bytes_per_s) {
    const double takes = std::ceil(static_cast<double>(size.count) * 1000 / bytes_per_s);
    return takes < static_cast<double>(forever.count() / 4)
               ? takes
               : std::numeric_limits<double>::infinity();
}

}  // namespace

// Beginnings of ways, the shortest first. One that reaches a site no earlier, no faster and with no
// less latency than another does is followed no further.
Staging::Way Staging::best_way(const Dataset& dataset, SiteId to, Time now, bool anywhere) const {
    struct Beginning {
        SiteId from;
        SiteId at;
        Time begins;
        double bytes_per_s;
        Duration latency;
        std::vector<Step> steps;
    };
    const auto storage_rate = [&](SiteId site) {
        const double rate = bytes_per_s_[site.value];
        return rate > 0 ? rate : std::numeric_limits<double>::infinity();
    };
    std::vector<Beginning> all;
    for (const auto& [from, copy] : dataset.at)
        if (copy.whole || anywhere) all.push_back({from, from, now, storage_rate(from), {}, {}});
    Way best;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (all[i].at == to) continue;
        for (std::uint32_t number = 0; number < links_.size(); ++number) {
            const Link& link = links_[number];
            if (link.a != all[i].at && link.b != all[i].at) continue;
            const std::uint32_t direction = link.a == all[i].at ? 0 : 1;
            Beginning next = all[i];
            next.at = direction == 0 ? link.b : link.a;
            next.begins = std::max(next.begins, link.free_from[direction]);
            next.bytes_per_s = std::min(next.bytes_per_s, link.bytes_per_s);
            if (next.at == to) next.bytes_per_s = std::min(next.bytes_per_s, storage_rate(to));
            next.latency += link.latency;
            const double takes = takes_ms(dataset.size, next.bytes_per_s);
            if (std::isinf(takes)) continue;
            const bool is_worse = std::any_of(all.begin(), all.end(), [&](const Beginning& each) {
                return each.at == next.at && each.begins <= next.begins &&
                       each.bytes_per_s >= next.bytes_per_s && each.latency <= next.latency;
            });
            if (is_worse) continue;
            next.steps.push_back({number, direction});
            const Time ends =
                next.begins + next.latency + Duration{static_cast<std::int64_t>(takes)};
            if (next.at == to && ends < best.ends)
                best = {next.begins, ends, next.from, next.steps};
            all.push_back(std::move(next));
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
        return dataset.at.count(site) > 0 || best_way(dataset, site, Time{}, true).ends != never;
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
    Copy copy{.dataset = id, .from = way.from, .to = to, .begins = way.begins, .ends = way.ends};
    for (const Step& step : way.steps) {
        links_[step.link].free_from[step.direction] = way.ends;
        copy.links.push_back(step.link);
    }
    dataset.at[to] = {
        .whole = false, .for_good = false, .there_at = way.ends, .used_at = now, .from = way.from};
    return copy;
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
