// All pools of a fleet: each kind of chip is matched once, then a pool is a few comparisons.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <unordered_map>

#include "weir/match/match.hpp"

namespace weir::match {
namespace {

using fleet::Fleet;
using fleet::Level;
using fleet::Pool;

// The kind of chip as which a machine offers its processor packages.
constexpr std::string_view processor = "cpu";

// As plans count on it; of products and of everything else the better.
double full_precision_of(const catalog::ChipRecord* record) {
    double best = 0;
    for (const char* op : {"gemm", "vector"}) {
        const catalog::Rate* rate = record == nullptr ? nullptr : record->rate("fp64", op);
        if (rate != nullptr) best = std::max(best, rate->value * catalog::discount_of(rate->basis));
    }
    return best;
}

class Finder {
public:
    Finder(const job::JobSpec& spec, const Fleet& fleet, const catalog::Catalog& catalog)
        : spec_(spec), fleet_(fleet), catalog_(catalog), contract_(contract_of(spec)) {
        for (const std::string& name : spec.chips_any_of)
            listed_.push_back(catalog.find(name));
        for (const fleet::Site& site : fleet.sites)
            sites_.emplace(site.name, &site);
    }

    Offers find() {
        Offers offers = with(contract_);
        const bool kept = std::any_of(offers.pools.begin(),
                                      offers.pools.end(),
                                      [](const PoolOffer& pool) { return pool.keeps; });
        const bool may_degrade =
            spec_.precision && spec_.precision->on_unsatisfied == job::Unsatisfied::degrade;
        if (kept || !may_degrade) return offers;
        Offers nearest = with(degraded(contract_));
        nearest.degraded = true;
        return nearest;
    }

private:
    Offers with(const Contract& contract) const {
        Offers offers;
        std::unordered_map<std::string_view, std::size_t> kinds;
        for (std::uint32_t i = 0; i < fleet_.pools.size(); ++i) {
            const Pool& pool = fleet_.pools[i];
            const auto [kind, added] = kinds.emplace(pool.chip, offers.kinds.size());
            if (added) offers.kinds.push_back(kind_of(pool.chip, contract));
            PoolOffer offer;
            offer.pool = PoolId{i};
            offer.kind = kind->second;
            look_at(pool, offers.kinds[kind->second], offer);
            offers.pools.push_back(std::move(offer));
        }
        price(offers);
        if (!contract.empty()) score(offers);
        put_in_order(offers);
        if (contract.one_kind) keep_one_kind(offers);
        return offers;
    }

    Kind kind_of(const std::string& name, const Contract& contract) const {
        Kind kind;
        kind.name = name;
        kind.record = name.empty() ? nullptr : catalog_.find(name);
        kind.full_precision = full_precision_of(kind.record);
        kind.place = place_of(kind);
        if (kind.place > listed_.size()) {
            kind.match.against.push_back({.why = Why::not_listed});
        }
        if (!contract.on_chips) {
            // Processors compute in every format of IEEE 754; how fast is not known here.
            if (kind.match.against.empty()) kind.match.offer = ChipOffer{};
            return kind;
        }
        if (name.empty() || (spec_.gpus && name == processor)) {
            kind.match.against.push_back({.why = Why::no_chips});
            return kind;
        }
        if (!kind.match.against.empty()) return kind;
        if (kind.record == nullptr) {
            const bool only_stack = contract.phases.empty() && contract.memory.count == 0;
            if (contract.empty()) {
                kind.match.offer = ChipOffer{};
            } else if (only_stack) {
                // Which stack a name belongs to is known of more chips than rates are.
                kind.match = match_chip(contract, catalog::ChipRecord{.name = name});
            } else {
                kind.match.against.push_back({.why = Why::unknown_chip});
            }
            return kind;
        }
        kind.match = match_chip(contract, *kind.record);
        return kind;
    }

    // In chips.any_of, by either of its names; beyond it where there is such a list without it.
    [[nodiscard]] std::size_t place_of(const Kind& kind) const {
        const auto& names = spec_.chips_any_of;
        if (names.empty()) return 0;
        for (std::size_t i = 0; i < names.size(); ++i) {
            const bool same = kind.record != nullptr && kind.record == listed_[i];
            if (names[i] == kind.name || same) return i;
        }
        return names.size() + 1;
    }

    void look_at(const Pool& pool, const Kind& kind, PoolOffer& offer) const {
        const auto& sites = spec_.sites;
        if (!sites.empty() && std::find(sites.begin(), sites.end(), pool.site) == sites.end()) {
            offer.against.push_back({.why = Why::other_site});
        }
        offer.keeps = offer.against.empty() && kind.match.offer.has_value();
        const job::Gang& gang = spec_.gang;
        const std::uint32_t chips = gang.chip_permille > 0 ? 1 : gang.chips;
        const auto lacks = [&offer](Why why, std::int64_t asked, std::int64_t has) {
            offer.against.push_back({.why = why, .asked = asked, .has = has});
        };
        std::uint64_t each = std::numeric_limits<std::uint64_t>::max();
        const auto room = [&each](std::uint64_t has, std::uint64_t asked) {
            if (asked > 0) each = std::min(each, has / asked);
        };
        if (chips > pool.chips_per_node && kind.match.offer) {
            lacks(Why::too_few_chips, chips, pool.chips_per_node);
        }
        room(std::uint64_t{pool.chips_per_node} * 1000,
             gang.chip_permille > 0 ? gang.chip_permille : std::uint64_t{gang.chips} * 1000);
        if (pool.cpus_milli > 0) {
            if (gang.cpus_milli > pool.cpus_milli) {
                lacks(Why::too_few_cpus, gang.cpus_milli, pool.cpus_milli);
            }
            room(pool.cpus_milli, gang.cpus_milli);
        }
        if (pool.memory.count > 0) {
            if (gang.memory > pool.memory) {
                lacks(Why::too_little_node_memory, gang.memory.count, pool.memory.count);
            }
            room(static_cast<std::uint64_t>(pool.memory.count),
                 static_cast<std::uint64_t>(gang.memory.count));
        }
        // A gang that may spread over a site need not fit into one of its pools.
        const std::uint64_t holds = each > gang.replicas
                                        ? gang.replicas
                                        : std::min<std::uint64_t>(each * pool.nodes, gang.replicas);
        if (gang.within <= Level::pool && each > 0 && holds < gang.replicas) {
            lacks(Why::too_few_nodes, gang.replicas, static_cast<std::int64_t>(holds));
        }
        offer.serves = offer.keeps && offer.against.empty();
    }

    [[nodiscard]] std::uint64_t chips_milli() const {
        return std::uint64_t{spec_.gang.replicas} *
               (std::uint64_t{spec_.gang.chips} * 1000 + spec_.gang.chip_permille);
    }

    [[nodiscard]] const Price* price_of(const Pool& pool) const {
        const auto site = sites_.find(pool.site);
        if (site == sites_.end()) return nullptr;
        const auto found = site->second->price.find(pool.chip);
        return found == site->second->price.end() ? nullptr : &found->second;
    }

    void price(Offers& offers) const {
        for (PoolOffer& offer : offers.pools) {
            const auto& chip = offers.kinds[offer.kind].match.offer;
            if (!offer.keeps || !chip->seconds) continue;
            const Price* price = price_of(fleet_.pool(offer.pool));
            // Beyond ten thousand years a bill says nothing.
            if (price == nullptr || *chip->seconds > 3e11) continue;
            offer.cost =
                cost_of(*price, chips_milli(), Duration{std::llround(*chip->seconds * 1000)});
        }
    }

    // Of each pool, of a chip-second; empty unless all that serve have one, in one currency.
    [[nodiscard]] std::vector<double> prices(const Offers& offers) const {
        std::vector<double> all(offers.pools.size(), 0);
        std::optional<Currency> currency;
        for (std::size_t i = 0; i < offers.pools.size(); ++i) {
            if (!offers.pools[i].keeps) continue;
            const Price* price = price_of(fleet_.pool(offers.pools[i].pool));
            if (price == nullptr) return {};
            if (!currency) currency = price->of_chip_hour.currency;
            if (*currency != price->of_chip_hour.currency) return {};
            all[i] = static_cast<double>(price->of_chip_hour.micros) / 3600e6;
        }
        return all;
    }

    void score(Offers& offers) const {
        double best = 0;
        for (const Kind& kind : offers.kinds)
            best = std::max(best, kind.full_precision);
        double with = 0;
        double without = 0;
        for (Kind& kind : offers.kinds)
            kind.full_precision = best > 0 ? kind.full_precision / best : 0;
        for (const PoolOffer& offer : offers.pools) {
            const Pool& pool = fleet_.pool(offer.pool);
            const double chips = static_cast<double>(pool.nodes) * pool.chips_per_node;
            with += chips * offers.kinds[offer.kind].full_precision;
            without += chips * (1 - offers.kinds[offer.kind].full_precision);
        }
        const double scarcity = with > 0 ? without / with : 0;
        const std::vector<double> values = prices(offers);
        for (std::size_t i = 0; i < offers.pools.size(); ++i) {
            PoolOffer& offer = offers.pools[i];
            const Kind& kind = offers.kinds[offer.kind];
            if (!offer.keeps) continue;
            const double unused = 1 - kind.match.offer->fp64_share;
            offer.score = static_cast<double>(chips_milli()) / 1000 *
                          kind.match.offer->seconds.value_or(1) * (values.empty() ? 1 : values[i]) *
                          (1 + scarcity * kind.full_precision * unused);
            // What cannot be counted comes last; an order with a NaN in it would be none.
            if (!std::isfinite(offer.score)) offer.score = std::numeric_limits<double>::max();
        }
    }

    static void put_in_order(Offers& offers) {
        const auto key = [&offers](const PoolOffer& offer) {
            const Kind& kind = offers.kinds[offer.kind];
            const bool timed = offer.keeps && kind.match.offer->seconds.has_value();
            return std::tuple(!offer.serves, !offer.keeps, kind.place, !timed, offer.score);
        };
        std::stable_sort(offers.pools.begin(),
                         offers.pools.end(),
                         [&key](const auto& a, const auto& b) { return key(a) < key(b); });
    }

    static void keep_one_kind(Offers& offers) {
        if (offers.pools.empty() || !offers.pools.front().keeps) return;
        const std::size_t first = offers.pools.front().kind;
        for (PoolOffer& offer : offers.pools) {
            if (offer.kind == first || !offer.keeps) continue;
            offer.against.push_back({.why = Why::one_kind, .other = offers.kinds[first].name});
            offer.keeps = offer.serves = false;
            offer.cost.reset();
            offer.score = 0;
        }
        put_in_order(offers);
    }

    const job::JobSpec& spec_;
    const Fleet& fleet_;
    const catalog::Catalog& catalog_;
    const Contract contract_;
    std::vector<const catalog::ChipRecord*> listed_;  // those that chips.any_of names
    std::unordered_map<std::string_view, const fleet::Site*> sites_;
};

}  // namespace

std::vector<PoolId> Offers::keeping() const {
    std::vector<PoolId> pools_that_do;
    for (const PoolOffer& offer : pools) {
        if (offer.keeps) pools_that_do.push_back(offer.pool);
    }
    return pools_that_do;
}

std::vector<std::string> Offers::reasons() const {
    std::vector<std::string> sentences;
    for (const Kind& kind : kinds) {
        if (kind.match.offer) continue;
        std::string why;
        for (const Reason& reason : kind.match.against)
            why += (why.empty() ? "" : "; ") + sentence_of(reason);
        sentences.push_back(
            fmt::format("{}: {}", kind.name.empty() ? "nodes without chips" : kind.name, why));
    }
    return sentences;
}

Offers offers_of(const job::JobSpec& spec,
                 const fleet::Fleet& fleet,
                 const catalog::Catalog& catalog) {
    return Finder(spec, fleet, catalog).find();
}

}  // namespace weir::match
