#include "weir/fleet/power.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "weir/base/units.hpp"

namespace weir::fleet {

std::vector<std::string> idle_budgets(const Fleet& fleet) {
    std::vector<std::string> sentences;
    for (const Pool& pool : fleet.pools) {
        const auto judge = [&](const std::string& budget,
                               double watts,
                               std::string_view domain,
                               double idle_watts) {
            if (watts <= 0) return;
            const std::string is =
                fmt::format("pool {}: {} is {}", pool.name, budget, format_rate(watts, "W"));
            if (pool.node_busy_watts <= 0) {
                sentences.push_back(is + ", and binds nothing without node_power");
            } else if (pool.node_busy_watts > pool.node_idle_watts && idle_watts >= watts) {
                sentences.push_back(
                    fmt::format("{}, but {} alone draws {}; nothing that "
                                "draws will start there",
                                is,
                                domain,
                                format_rate(idle_watts, "W")));
            }
        };
        judge("rack_power",
              pool.rack_power_watts,
              "an idle rack",
              pool.rack_nodes() * pool.node_idle_watts);
        judge("pod_power",
              pool.pod_power_watts,
              "an idle pod",
              pool.pod_nodes() * pool.node_idle_watts);
        const auto site = std::find_if(fleet.sites.begin(),
                                       fleet.sites.end(),
                                       [&](const Site& its) { return its.name == pool.site; });
        if (site == fleet.sites.end()) continue;
        double idle_watts = 0;
        for (const Pool& other : fleet.pools) {
            if (other.site == site->name) idle_watts += other.nodes * other.node_idle_watts;
        }
        judge("power of site " + site->name, site->power_watts, "the idle site", idle_watts);
    }
    return sentences;
}

}  // namespace weir::fleet
