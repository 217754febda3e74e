#include "weir/cli/offer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "weir/base/text_file.hpp"
#include "weir/base/units.hpp"
#include "weir/base/yaml.hpp"
#include "weir/cli/print.hpp"
#include "weir/fleet/fleet_file.hpp"

namespace weir::cli {
namespace {

// "sites[1].pools[0]", as the reader of fleet files names it: its pools are in the order of the
// file, those of a site after each other.
std::string place_of(const fleet::Fleet& fleet, std::size_t number) {
    const std::string& site = fleet.pools[number].site;
    const auto owner =
        std::find_if(fleet.sites.begin(), fleet.sites.end(), [&site](const fleet::Site& candidate) {
            return candidate.name == site;
        });
    const auto before =
        std::count_if(fleet.pools.begin(),
                      fleet.pools.begin() + static_cast<std::ptrdiff_t>(number),
                      [&site](const fleet::Pool& candidate) { return candidate.site == site; });
    return fmt::format("sites[{}].pools[{}]", owner - fleet.sites.begin(), before);
}

std::map<std::string, std::uint64_t> chips_of(const exec::DiscoveryReport& here) {
    std::map<std::string, std::uint64_t> chips;
    for (const fleet::Pool& pool : here.fleet.pools) {
        chips[pool.chip] += std::uint64_t{pool.nodes} * pool.chips_per_node;
    }
    chips["cpu"] = std::max<std::uint64_t>(chips["cpu"], here.machine.packages);
    return chips;
}

// The first thing of which more is offered than there is, as a sentence without its source.
std::vector<std::string> excesses(const fleet::Fleet& fleet, const exec::DiscoveryReport& here) {
    std::vector<std::string> found;
    const auto chips_here = chips_of(here);
    std::map<std::string, std::uint64_t> chips;
    std::uint64_t cpus_milli = 0;
    std::int64_t memory = 0;
    const std::uint64_t cpus_here = std::uint64_t{here.machine.cpus} * 1000;
    for (std::size_t number = 0; number < fleet.pools.size(); ++number) {
        const fleet::Pool& pool = fleet.pools[number];
        const auto say =
            [&](std::string_view field, const std::string& offered, const std::string& has) {
                found.push_back(fmt::format("{}.{}: {} offered, but this machine has {}",
                                            place_of(fleet, number),
                                            field,
                                            offered,
                                            has));
            };
        if (pool.nodes > 1) {
            found.push_back(fmt::format("{}.nodes: {} nodes are offered, but this machine is one",
                                        place_of(fleet, number),
                                        pool.nodes));
        }
        // What it adds to the pools before it, of which there may be too much already.
        const auto with_earlier = [](bool any) { return any ? ", with the pools before it," : ""; };
        const bool more_cpus = cpus_milli > 0;
        cpus_milli += std::uint64_t{pool.nodes} * pool.cpus_milli;
        if (pool.cpus_milli > 0 && cpus_milli > cpus_here) {
            say("cpus",
                number_cell(static_cast<double>(cpus_milli) / 1000) + " CPUs" +
                    with_earlier(more_cpus) + " are",
                std::to_string(here.machine.cpus));
        }
        const bool more_memory = memory > 0;
        memory += static_cast<std::int64_t>(pool.nodes) * pool.memory.count;
        if (pool.memory.count > 0 && memory > here.machine.memory.count) {
            say("memory",
                format_bytes({memory}) + with_earlier(more_memory) + " are",
                format_bytes(here.machine.memory));
        }
        if (pool.chips_per_node == 0) continue;
        const auto known = chips_here.find(pool.chip);
        const std::uint64_t has = known == chips_here.end() ? 0 : known->second;
        std::uint64_t& all = chips[pool.chip];
        const bool more_chips = all > 0;
        all += std::uint64_t{pool.nodes} * pool.chips_per_node;
        if (all > has) {
            say("chips_per_node",
                fmt::format("{} of chip {}{} {}",
                            all,
                            pool.chip,
                            with_earlier(more_chips),
                            all == 1 ? "is" : "are"),
                has == 0 ? "none" : std::to_string(has));
        }
    }
    return found;
}

}  // namespace

Result<Offer> check_offer(Offer offer,
                          const exec::DiscoveryReport& here,
                          std::string_view source,
                          bool oversubscribe) {
    for (std::size_t number = 0; number < offer.fleet.sites.size(); ++number) {
        const fleet::Site& site = offer.fleet.sites[number];
        if (site.executor == "local") continue;
        return fail(
            Code::unsupported,
            fmt::format(
                "{}: sites[{}].executor.kind: \"{}\"{} of site {}: `weir up` starts jobs on "
                "this machine alone, so valid is: local; `weir simulate --fleet` takes "
                "such a fleet",
                source,
                number,
                site.executor,
                site.executor == "simulated" ? " (what holds when nothing is said)" : "",
                site.name));
    }
    for (const std::string& sentence : excesses(offer.fleet, here)) {
        if (!oversubscribe) {
            return fail(Code::never_fits,
                        fmt::format("{}: {}; offer at most that, or let jobs share what there is "
                                    "with --oversubscribe",
                                    source,
                                    sentence));
        }
        offer.notes.push_back(fmt::format("{}: {}; jobs share it", source, sentence));
    }
    return offer;
}

Result<Offer> read_offer(const std::string& path,
                         const exec::DiscoveryReport& here,
                         bool oversubscribe) {
    const std::string source = path == "-" ? "standard input" : path;
    WEIR_TRY(const std::string text, read_text_file(path, yaml::fleet_limits.bytes_max));
    WEIR_TRY(fleet::ParsedFleet parsed, fleet::read_fleet_text(text, source));
    return check_offer(
        {std::move(parsed.fleet), std::move(parsed.notes)}, here, source, oversubscribe);
}

}  // namespace weir::cli
