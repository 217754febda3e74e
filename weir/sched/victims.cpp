// See victims.hpp; what nodes cost, offers.hpp says.
#include "weir/sched/victims.hpp"

#include <algorithm>
#include <numeric>

#include "weir/base/assert.hpp"
#include "weir/sched/offers.hpp"

namespace weir::sched {
namespace {

// What a search may cost: looks at racks, tests whether the gang fits, an eighth of the candidates
// of each domain; about a microsecond each.
constexpr std::size_t work_max = 16'384;
// Tests for combinations of few candidates.
constexpr std::size_t tests_max = 1024;

// How much of what the gang needs a job holds.
std::int64_t size_of(const fleet::Demand& demand, const fleet::ReplicaDemand& wanted) {
    if (wanted.chips > 0 || wanted.chip_permille > 0) {
        return static_cast<std::int64_t>(demand.chips_milli());
    }
    if (wanted.cpus_milli > 0) return static_cast<std::int64_t>(demand.cpus_milli());
    std::int64_t memory = 0;
    for (const fleet::GangPart& part : demand.parts)
        memory += part.replicas * part.each.memory.count;
    return memory;
}

class Search {
public:
    Search(fleet::FreeIndex& free,
           const fleet::Fleet& fleet,
           const Shapes& shapes,
           const fleet::Shape& gang,
           std::size_t count_max)
        : free_(free),
          shapes_(shapes),
          gang_(gang),
          count_max_(count_max),
          offers_(free, fleet, gang) {}

    // False if the gang cannot fit whoever is stopped.
    bool search_domains(const std::vector<std::vector<Victim>>& victims);
    // Among all of them.
    void buy_the_cheapest(const std::vector<Victim>& victims);
    void try_combinations(const std::vector<Victim>& victims);

    [[nodiscard]] bool found() const { return best_price_.has_value(); }
    // The best set, the cheapest first.
    [[nodiscard]] std::vector<Victim> best() const;

private:
    void load(const std::vector<Victim>& victims);
    void search(const Offers::Place& place);
    bool buy_nodes();
    void put_back();
    void combine(std::size_t position, Price so_far, std::size_t count);
    void keep_if_best(const Price& price);

    [[nodiscard]] bool fits() {
        ++tests_;
        return free_.fits(gang_, Time::min());
    }
    void stop(std::uint32_t i) {
        candidates_[i].is_stopped = true;
        free_.give(*candidates_[i].shape, *candidates_[i].placement);
    }
    void let_run(std::uint32_t i) {
        candidates_[i].is_stopped = false;
        free_.take(*candidates_[i].shape, *candidates_[i].placement);
    }
    void let_all_run() {
        for (const std::uint32_t i : stopped_)
            let_run(i);
        stopped_.clear();
    }
    void sort_dearest_first() {
        std::sort(stopped_.begin(), stopped_.end(), [&](std::uint32_t a, std::uint32_t b) {
            const Candidate& x = candidates_[a];
            const Candidate& y = candidates_[b];
            if (x.victim.rank != y.victim.rank) return x.victim.rank > y.victim.rank;
            if (x.victim.lost != y.victim.lost) return x.victim.lost > y.victim.lost;
            return x.job < y.job;
        });
    }

    fleet::FreeIndex& free_;
    const Shapes& shapes_;
    const fleet::Shape& gang_;
    const std::size_t count_max_;
    Offers offers_;
    std::vector<Candidate> candidates_;
    std::vector<std::uint32_t> stopped_;  // candidates
    std::size_t tests_ = 0;
    std::vector<Victim> best_;
    std::optional<Price> best_price_;
};

void Search::load(const std::vector<Victim>& victims) {
    candidates_.clear();
    candidates_.reserve(victims.size());
    for (std::size_t i = 0; i < victims.size(); ++i) {
        constexpr std::size_t ahead = 16;
        if (i + ahead < victims.size()) fetch(&victims[i + ahead].job->id);
        const Victim& victim = victims[i];
        WEIR_ASSERT(victim.rank < Classes::count && victim.lost >= 0);
        const fleet::Shape& shape = shapes_[victim.job->shape].shape;
        const std::int64_t size = size_of(shape.demand, gang_.demand.parts.front().each);
        candidates_.push_back({.victim = victim,
                               .job = victim.job->id,
                               .shape = &shape,
                               .placement = &victim.job->placement,
                               .dearness = victim.lost / std::max<std::int64_t>(size, 1)});
    }
}

bool Search::search_domains(const std::vector<std::vector<Victim>>& victims) {
    struct Found {
        std::size_t domain = 0;
        Offers::Place place;
    };
    std::vector<Found> places;
    std::size_t loaded = 0;
    const auto load_domain = [&](std::size_t domain) {
        load(victims[domain]);
        offers_.load(gang_.domains[domain], candidates_);
        loaded = domain;
    };
    for (std::size_t domain = 0; domain < gang_.domains.size(); ++domain) {
        load_domain(domain);
        for (const Offers::Place& place : offers_.places())
            places.push_back({domain, place});
    }
    std::stable_sort(places.begin(), places.end(), [](const Found& a, const Found& b) {
        return a.place.estimate && (!b.place.estimate || *a.place.estimate < *b.place.estimate);
    });
    std::size_t work = 0;
    for (const auto& [domain, place] : places) {
        if (work + tests_ + offers_.looks() >= work_max) break;
        if (found() && !(place.estimate && *place.estimate < *best_price_)) break;
        if (domain != loaded) {
            load_domain(domain);
            work += candidates_.size() / 8;
        }
        search(place);
    }
    return !places.empty();
}

void Search::search(const Offers::Place& place) {
    offers_.open(place);
    if (buy_nodes()) put_back();
    let_all_run();
    offers_.close(place);
}

// The cheapest nodes, until the gang fits. Where they seem to suffice and do not, it is tested
// again at doubling distances.
bool Search::buy_nodes() {
    std::size_t more = 0;
    std::size_t step = 1;
    while (const auto offer = offers_.next()) {
        const std::vector<std::uint32_t>& victims = offers_.take(*offer);
        for (const std::uint32_t i : victims) {
            stop(i);
            stopped_.push_back(i);
        }
        offers_.look_again(victims);
        if (offers_.held() < gang_.demand.parts.front().replicas || ++more < step) continue;
        if (fits()) return true;
        more = 0;
        step *= 2;
    }
    return fits();
}

void Search::buy_the_cheapest(const std::vector<Victim>& victims) {
    load(victims);
    std::vector<std::uint32_t> order(candidates_.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        const Candidate& x = candidates_[a];
        const Candidate& y = candidates_[b];
        if (x.victim.rank != y.victim.rank) return x.victim.rank < y.victim.rank;
        return x.dearness != y.dearness ? x.dearness < y.dearness : x.job < y.job;
    });
    bool enough = false;
    std::size_t next_test = 1;
    for (std::size_t k = 0; k < order.size() && !enough; ++k) {
        stop(order[k]);
        stopped_.push_back(order[k]);
        if (stopped_.size() < next_test && stopped_.size() < order.size()) continue;
        enough = fits();
        next_test *= 2;
    }
    if (enough) put_back();
    let_all_run();
}

void Search::keep_if_best(const Price& price) {
    if (found() && !(price < *best_price_)) return;
    best_price_ = price;
    best_.clear();
    for (const std::uint32_t i : stopped_)
        if (candidates_[i].is_stopped) best_.push_back(candidates_[i].victim);
}

// Whoever is not needed, the dearest first.
void Search::put_back() {
    sort_dearest_first();
    Price price;
    std::size_t kept = 0;
    for (const std::uint32_t i : stopped_) {
        let_run(i);
        if (fits()) continue;
        stop(i);
        stopped_[kept++] = i;
        price.add(candidates_[i].victim.rank, candidates_[i].victim.lost);
    }
    stopped_.resize(kept);
    if (kept <= count_max_) keep_if_best(price);
}

// With everybody stopped: who is put back, the dearest first, and for each of them, what if not?
void Search::try_combinations(const std::vector<Victim>& victims) {
    load(victims);
    for (std::uint32_t i = 0; i < candidates_.size(); ++i) {
        stop(i);
        stopped_.push_back(i);
    }
    sort_dearest_first();
    tests_ = 0;
    if (fits()) combine(0, {}, 0);
    let_all_run();
}

void Search::combine(std::size_t position, Price so_far, std::size_t count) {
    if (count > count_max_ || (found() && !(so_far < *best_price_))) return;
    if (position == stopped_.size()) return keep_if_best(so_far);
    if (tests_ >= tests_max) return;
    const std::uint32_t i = stopped_[position];
    let_run(i);
    if (fits()) combine(position + 1, so_far, count);
    stop(i);
    so_far.add(candidates_[i].victim.rank, candidates_[i].victim.lost);
    combine(position + 1, so_far, count + 1);
}

std::vector<Victim> Search::best() const {
    std::vector<Victim> set = best_;
    std::sort(set.begin(), set.end(), [](const Victim& a, const Victim& b) {
        return a.lost != b.lost ? a.lost < b.lost : a.job->id < b.job->id;
    });
    return set;
}

}  // namespace

std::vector<Victim> cheapest_set(fleet::FreeIndex& free,
                                 const fleet::Fleet& fleet,
                                 const Shapes& shapes,
                                 const fleet::Shape& gang,
                                 const std::vector<std::vector<Victim>>& victims,
                                 std::size_t count_max,
                                 std::size_t few) {
    if (std::all_of(victims.begin(), victims.end(), [](const auto& list) { return list.empty(); }))
        return {};
    Search search(free, fleet, shapes, gang, count_max);
    if (!search.search_domains(victims)) return {};
    std::size_t count = 0;
    for (const std::vector<Victim>& of_domain : victims)
        count += of_domain.size();
    if (search.found() && count > few) return search.best();

    std::vector<Victim> all;
    for (const std::vector<Victim>& of_domain : victims)
        all.insert(all.end(), of_domain.begin(), of_domain.end());
    std::sort(all.begin(), all.end(), [](const Victim& a, const Victim& b) {
        return a.job->id < b.job->id;
    });
    const auto same = [](const Victim& a, const Victim& b) { return a.job == b.job; };
    all.erase(std::unique(all.begin(), all.end(), same), all.end());
    // What stands in the way of each domain is around it.
    if (!search.found()) search.buy_the_cheapest(all);
    if (all.size() <= few) search.try_combinations(all);
    return search.best();
}

}  // namespace weir::sched
