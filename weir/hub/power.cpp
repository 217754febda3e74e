#include "weir/hub/power.hpp"

#include <algorithm>
#include <charconv>

#include "weir/base/units.hpp"

namespace weir::hub {
namespace {

using sched::PowerDomain;

// Of one node, the share that the replicas of one range take of it.
double share_of(const fleet::NodeRange& range, const Job& job, const fleet::Pool& pool) {
    const fleet::ReplicaDemand& each = job.family->request.demand.parts.at(range.part).each;
    if (pool.chips_per_node > 0) {
        return (each.chips + each.chip_permille / 1000.0) * range.replicas / pool.chips_per_node;
    }
    if (pool.cpus_milli == 0) return 0;
    return double{1} * each.cpus_milli * range.replicas / pool.cpus_milli;
}

struct Draw {
    double watts = 0;
    double idle_watts = 0;  // of it, without any job
    bool counted = false;   // whether anything says what its nodes draw
};

// What every rack draws, in one walk; pods and sites are sums of racks.
class Draws {
public:
    explicit Draws(const Book& book) : fleet_(book.engine().fleet()) {
        for (std::uint32_t i = 0; i < fleet_.pools.size(); ++i) {
            const fleet::Pool& pool = fleet_.pools[i];
            const Draw empty{.counted = pool.node_busy_watts > 0};
            std::vector<Draw>& racks = racks_.emplace_back(pool.racks(), empty);
            for (std::uint32_t node = 0; node < pool.nodes; ++node) {
                if (book.engine().health(PoolId{i}, node) == sched::NodeHealth::down) continue;
                Draw& rack = racks[node / pool.rack_nodes()];
                rack.watts += pool.node_idle_watts;
                rack.idle_watts += pool.node_idle_watts;
            }
        }
        for (const JobId id : book.running()) {
            const Job& job = *book.find(id);
            for (const fleet::NodeRange& range : job.attempts.back().placement.ranges) {
                const fleet::Pool& pool = fleet_.pool(range.pool);
                const double watts = std::max(0.0, pool.node_busy_watts - pool.node_idle_watts) *
                                     share_of(range, job, pool);
                for (std::uint32_t node = range.first; node < range.first + range.count; ++node) {
                    racks_[range.pool.value][node / pool.rack_nodes()].watts += watts;
                }
            }
        }
    }

    [[nodiscard]] Draw of(const PowerDomain& domain) const {
        const fleet::Pool& pool = fleet_.pool(domain.pool);
        const std::vector<Draw>& racks = racks_[domain.pool.value];
        if (domain.level == fleet::Level::rack) return racks.at(domain.number);
        if (domain.level == fleet::Level::pod) {
            const std::uint32_t each = pool.racks_per_pod > 0 ? pool.racks_per_pod : pool.racks();
            return sum(racks, domain.number * each, each);
        }
        Draw draw;
        for (std::size_t i = 0; i < racks_.size(); ++i) {
            if (fleet_.pools[i].site == pool.site) add(draw, sum(racks_[i], 0, racks_[i].size()));
        }
        return draw;
    }

private:
    static void add(Draw& sum, const Draw& more) {
        sum.watts += more.watts;
        sum.idle_watts += more.idle_watts;
        sum.counted = sum.counted || more.counted;
    }
    static Draw sum(const std::vector<Draw>& racks, std::size_t first, std::size_t count) {
        Draw draw;
        for (std::size_t rack = first; rack < std::min(first + count, racks.size()); ++rack)
            add(draw, racks[rack]);
        return draw;
    }

    const fleet::Fleet& fleet_;
    std::vector<std::vector<Draw>> racks_;  // by pool
};

PowerView view_of(const PowerDomain& domain, const Draw& draw, const Book& book) {
    PowerView view{.domain = text_of(domain, book.engine().fleet()),
                   .level = std::string(fleet::name_of(domain.level)),
                   .draw_watts = std::nullopt,
                   .budget_watts = budget_of(domain, book),
                   .note = {}};
    if (draw.counted) view.draw_watts = draw.watts;
    if (view.budget_watts <= 0) return view;
    if (!draw.counted) {
        view.note = "nothing says what its nodes draw (node_power), so its budget binds nothing";
    } else if (draw.idle_watts >= view.budget_watts) {
        view.note = "idle alone draws " + format_rate(draw.idle_watts, "W") +
                    "; nothing that draws will start there";
    }
    return view;
}

std::optional<PowerDomain> site_named(const std::string& name, const fleet::Fleet& fleet) {
    for (std::uint32_t i = 0; i < fleet.pools.size(); ++i) {
        if (fleet.pools[i].site == name) return PowerDomain{fleet::Level::site, PoolId{i}, 0};
    }
    return std::nullopt;
}

std::vector<PowerDomain> domains_of_pool(PoolId pool, const fleet::Fleet& fleet) {
    std::vector<PowerDomain> domains;
    const fleet::Pool& its = fleet.pool(pool);
    if (its.racks_per_pod > 0) {
        for (std::uint32_t pod = 0; pod < its.pods(); ++pod)
            domains.push_back({fleet::Level::pod, pool, pod});
    }
    for (std::uint32_t rack = 0; rack < its.racks(); ++rack)
        domains.push_back({fleet::Level::rack, pool, rack});
    return domains;
}

}  // namespace

Result<PowerDomain> power_domain_of(const std::string& text, const fleet::Fleet& fleet) {
    if (const auto site = site_named(text, fleet)) return *site;
    const auto slash = text.rfind('/');
    const auto middle = slash == std::string::npos ? slash : text.rfind('/', slash - 1);
    if (slash != std::string::npos && slash > 0 && middle != std::string::npos) {
        const std::string pool = text.substr(0, middle);
        const std::string level = text.substr(middle + 1, slash - middle - 1);
        std::uint32_t number = 0;
        const char* const end = text.data() + text.size();
        const auto read = std::from_chars(text.data() + slash + 1, end, number);
        const bool is_number = read.ec == std::errc{} && read.ptr == end;
        for (std::uint32_t i = 0; i < fleet.pools.size(); ++i) {
            const fleet::Pool& its = fleet.pools[i];
            if (its.name != pool || !is_number) continue;
            const bool rack = level == "rack";
            if (!rack && level != "pod") continue;
            const std::uint32_t count = rack ? its.racks() : its.pods();
            if (number < count) {
                return PowerDomain{
                    rack ? fleet::Level::rack : fleet::Level::pod, PoolId{i}, number};
            }
            return fail(Code::not_found,
                        "pool " + pool + " has " + format_count(count, level) +
                            ", counted from 0; there is no " + level + " " +
                            std::to_string(number));
        }
    }
    std::string sites;
    for (const fleet::Site& site : fleet.sites)
        sites += (sites.empty() ? "" : ", ") + site.name;
    return fail(Code::not_found,
                "\"" + text + "\" has no budget of watts: write the name of a site (" + sites +
                    "), a rack as POOL/rack/NUMBER, or a pod as POOL/pod/NUMBER");
}

std::string text_of(const PowerDomain& domain, const fleet::Fleet& fleet) {
    const fleet::Pool& pool = fleet.pool(domain.pool);
    if (domain.level == fleet::Level::site) return pool.site;
    return pool.name + "/" + std::string(fleet::name_of(domain.level)) + "/" +
           std::to_string(domain.number);
}

double budget_of(const PowerDomain& domain, const Book& book) {
    const fleet::Fleet& fleet = book.engine().fleet();
    if (domain.level == fleet::Level::site) {
        const std::string& name = fleet.pool(domain.pool).site;
        // Whichever pool of the site it was set by.
        for (const auto& [known, watts] : book.power_caps()) {
            if (known.level == domain.level && fleet.pool(known.pool).site == name) return watts;
        }
        return budget_by_file(domain, fleet);
    }
    const auto set = book.power_caps().find(domain);
    return set != book.power_caps().end() ? set->second : budget_by_file(domain, fleet);
}

double budget_by_file(const PowerDomain& domain, const fleet::Fleet& fleet) {
    const fleet::Pool& pool = fleet.pool(domain.pool);
    if (domain.level == fleet::Level::site) {
        for (const fleet::Site& site : fleet.sites)
            if (site.name == pool.site) return site.power_watts;
        return 0;
    }
    return domain.level == fleet::Level::rack ? pool.rack_power_watts : pool.pod_power_watts;
}

Result<std::vector<PowerView>> power_views(const std::string& of, const Book& book) {
    const fleet::Fleet& fleet = book.engine().fleet();
    std::vector<PowerDomain> domains;
    bool known = of.empty();
    for (const fleet::Site& site : fleet.sites) {
        const auto domain = site_named(site.name, fleet);
        if (!domain || !(of.empty() || of == site.name)) continue;
        known = true;
        domains.push_back(*domain);
    }
    for (std::uint32_t i = 0; i < fleet.pools.size(); ++i) {
        const fleet::Pool& pool = fleet.pools[i];
        const bool named = of == pool.name;
        known = known || named;
        for (const PowerDomain& domain : domains_of_pool(PoolId{i}, fleet)) {
            const bool of_site = (of.empty() || of == pool.site) && budget_of(domain, book) > 0;
            if (named || of_site) domains.push_back(domain);
        }
    }
    if (!known) {
        WEIR_TRY(const PowerDomain domain, power_domain_of(of, fleet));
        domains.push_back(domain);
    }
    const Draws draws(book);
    std::vector<PowerView> views;
    for (const PowerDomain& domain : domains)
        views.push_back(view_of(domain, draws.of(domain), book));
    return views;
}

PowerView power_view(const PowerDomain& domain, const Book& book) {
    return view_of(domain, Draws(book).of(domain), book);
}

std::string sentence_of(const journal::OverPower& over, const Book& book) {
    const double budget = budget_of(over.domain, book);
    return text_of(over.domain, book.engine().fleet()) + " draws " +
           format_rate(budget + over.excess_watts, "W") + " and may draw " +
           format_rate(budget, "W") + "; nothing that may be stopped is left there";
}

std::vector<std::string> over_power(const Book& book) {
    std::vector<std::string> sentences;
    if (book.over_power().empty()) return sentences;
    const Draws draws(book);
    for (const PowerDomain& domain : book.over_power()) {
        const double draw = draws.of(domain).watts;
        const double budget = budget_of(domain, book);
        if (budget <= 0 || draw <= budget) continue;
        sentences.push_back(text_of(domain, book.engine().fleet()) + " draws " +
                            format_rate(draw, "W") + " and may draw " + format_rate(budget, "W"));
    }
    return sentences;
}

}  // namespace weir::hub
