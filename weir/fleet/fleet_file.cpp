#include "weir/fleet/fleet_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "weir/base/text_file.hpp"
#include "weir/fleet/power.hpp"

namespace weir::fleet {
namespace {

using schema::Problems;
using schema::Use;
using schema::View;

// More nodes than any pool of today has chips; keeps every product of counts in 64 bits.
constexpr std::int64_t nodes_max = nodes_per_pool_max;

std::optional<std::string> test_price(std::string_view word) {
    if (parse_price(word).has_value()) return std::nullopt;
    return "is not a price: write an amount, a currency and a unit, such as 8 CNY/chip-hour";
}

// "5y/node"
std::optional<Duration> mtbf_of_node(std::string_view word) {
    constexpr std::string_view unit = "/node";
    if (word.size() <= unit.size() || word.substr(word.size() - unit.size()) != unit) return {};
    const auto time = parse_duration(word.substr(0, word.size() - unit.size()));
    if (!time.has_value() || *time <= Duration{0}) return {};
    return *time;
}

std::optional<std::string> test_mtbf(std::string_view word) {
    if (mtbf_of_node(word)) return std::nullopt;
    return "is not a mean time between failures: write a duration for one node, such as 5y/node";
}

const schema::Object& executor_schema() {
    static const schema::Object table{
        "executor",
        "What runs the jobs of a site.",
        {
            {"kind",
             schema::choice({"local", "slurm", "simulated"}),
             "This machine, a Slurm cluster, or a simulation",
             "slurm",
             "simulated"},
            {"host",
             schema::text(),
             "Where the commands of the cluster run",
             "login.hpc.example",
             "",
             false,
             Use::checked},
            {"user", schema::text(), "As whom", "weir", "", false, Use::checked},
            {"partition",
             schema::text(),
             "Partition that jobs are sent to",
             "batch",
             "",
             false,
             Use::checked},
            {"account",
             schema::text(),
             "Account that jobs are sent under",
             "converged",
             "",
             false,
             Use::checked},
        }};
    return table;
}

std::optional<std::string> test_root(std::string_view path) {
    const bool control = std::any_of(path.begin(), path.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '"' || c == '\\';
    });
    if (!path.empty() && path.front() == '/' && path.size() <= 1024 && !control) {
        return std::nullopt;
    }
    return "must be an absolute path, such as /srv/weir/datasets";
}

const schema::Object& storage_schema() {
    static const schema::Object table{
        "storage",
        "The shared storage of a site and the datasets that lie there.",
        {
            {"bandwidth", schema::quantity(schema::Type::bandwidth), "Of all together", "200GB/s"},
            {"capacity", schema::quantity(schema::Type::bytes), "In all", "2PiB"},
            {"datasets",
             schema::map_of(schema::quantity(schema::Type::bytes), schema::test_name),
             "Name and size of each dataset",
             "{era5-2020: 40TiB}"},
            {"root",
             schema::word("folder", test_root, "^/.*$"),
             "For a hub: the folder in which each of them is a file or folder of its name",
             "/srv/weir/datasets",
             "a folder for the site in the hub's data folder"},
        }};
    return table;
}

const schema::Object& node_power_schema() {
    static const schema::Object table{
        "node_power",
        "What one node draws.",
        {
            {"idle", schema::quantity(schema::Type::power), "Without a job", "1.1kW", "", true},
            {"busy", schema::quantity(schema::Type::power), "At full load", "5.6kW", "", true},
        }};
    return table;
}

const schema::Object& link_inside_schema() {
    static const schema::Object table{
        "link",
        "How the chips of a node and the nodes of a pool are joined.",
        {
            {"inside", schema::text(), "Name of the link between chips of a node", "hccs"},
            {"between",
             schema::quantity(schema::Type::bandwidth),
             "Of one node to the others, each way",
             "400Gb/s x 8"},
            {"oversubscription",
             schema::number(1, 1000),
             "Demand over supply at the top of the network",
             "1",
             "1"},
        }};
    return table;
}

const schema::Object& reliability_schema() {
    static const schema::Object table{
        "reliability",
        "How often nodes fail and how long a repair takes; for simulation and checkpoint advice.",
        {
            {"mtbf",
             schema::word("time per node", test_mtbf, "^[0-9].*/node$"),
             "Mean time between failures of one node",
             "5y/node"},
            {"repair", schema::quantity(schema::Type::duration), "Until it is back", "6h"},
        }};
    return table;
}

const schema::Object& pool_schema() {
    static const schema::Object table{
        "pool",
        "A number of identical nodes.",
        {
            {"name",
             schema::word("name", schema::test_name, ""),
             "Unique in the fleet",
             "ai-a",
             "",
             true},
            {"chip",
             schema::word("name", schema::test_name, ""),
             "Kind of its chips, as in the catalogue; absent for nodes without chips",
             "ascend-910b3"},
            {"nodes", schema::integer(1, nodes_max), "How many", "1250", "", true},
            {"chips_per_node",
             schema::integer(0, chips_per_node_max),
             "Chips of one node; needed where chip is given",
             "8",
             "0"},
            {"cpus", schema::number(0.001, 1e6), "CPUs of one node", "192", "not counted"},
            {"memory",
             schema::quantity(schema::Type::bytes),
             "Memory of one node",
             "1536GiB",
             "not counted"},
            {"nodes_per_rack",
             schema::integer(1, nodes_max),
             "Nodes that share a rack",
             "2",
             "the whole pool is one rack"},
            {"racks_per_pod",
             schema::integer(1, nodes_max),
             "Racks that share a pod",
             "16",
             "the whole pool is one pod"},
            {"node_names",
             schema::list_of(schema::word("name", schema::test_name, "")),
             "Names of the nodes, one for each",
             "[cn001, cn002]",
             "NAME-0, NAME-1, …"},
            {"rack_power",
             schema::quantity(schema::Type::power),
             "What a rack may draw; no placement exceeds it",
             "15kW",
             "no cap"},
            {"pod_power",
             schema::quantity(schema::Type::power),
             "What a pod may draw",
             "240kW",
             "no cap"},
            {"node_power",
             schema::object(node_power_schema()),
             "What a node draws; each chip in use (without chips, each CPU) adds its share of the "
             "difference",
             "{idle: 1.1kW, busy: 5.6kW}",
             "not counted"},
            {"link",
             schema::object(link_inside_schema()),
             "Links",
             "{inside: hccs, between: 400Gb/s x 8}",
             "",
             false,
             Use::checked},
            {"reliability",
             schema::object(reliability_schema()),
             "Failures",
             "{mtbf: 5y/node, repair: 6h}",
             "never fails"},
        },
        {{"gpus", "write chips_per_node"},
         {"gpus_per_node", "write chips_per_node"},
         {"chips", "write chips_per_node"},
         {"cores", "write cpus"},
         {"count", "write nodes"}}};
    return table;
}

const schema::Object& site_schema() {
    static const schema::Object table{
        "site",
        "A place with an owner, a scheduler below weir, and pools.",
        {
            {"name",
             schema::word("name", schema::test_name, ""),
             "Unique in the fleet",
             "hefei-ai",
             "",
             true},
            {"pools", schema::list_of(schema::object(pool_schema())), "Its nodes", "", "", true},
            {"executor",
             schema::object(executor_schema()),
             "What runs its jobs",
             "{kind: slurm}",
             "{kind: simulated}"},
            {"power",
             schema::quantity(schema::Type::power),
             "What the site may draw",
             "12MW",
             "no budget"},
            {"price",
             schema::map_of(schema::word("price", test_price, "^[0-9].*/chip-hour$"),
                            schema::test_name),
             "Of a chip, by kind: what a job costs there is shown, and cheaper pools come first",
             "{ascend-910b3: 8 CNY/chip-hour}"},
            {"storage",
             schema::object(storage_schema()),
             "Shared storage, and the datasets that lie there for good",
             "{bandwidth: 200GB/s, capacity: 2PiB}"},
        }};
    return table;
}

const schema::Object& site_link_schema() {
    static const schema::Object table{
        "site_link",
        "A connection between two sites.",
        {
            {"between",
             schema::list_of(schema::word("name", schema::test_name, "")),
             "The two sites",
             "[hefei-ai, wuxi-hpc]",
             "",
             true},
            {"bandwidth",
             schema::quantity(schema::Type::bandwidth),
             "Each way",
             "10GB/s",
             "",
             true},
            {"latency", schema::quantity(schema::Type::duration), "Round trip", "12ms"},
        }};
    return table;
}

std::uint32_t count_of(const View& view, std::string_view key) {
    return static_cast<std::uint32_t>(view.integer(key).value_or(0));
}

// Turns a checked tree into a Fleet and collects what no table can say.
class Reader {
public:
    explicit Reader(Problems& problems) : problems_(problems) {}

    Fleet read(const View& file) {
        if (file.node("sites")->items.empty()) {
            problems_.add(file.place("sites"), "sites", "is empty; a fleet has at least one site");
        }
        const std::vector<View> sites = file.objects("sites");
        for (std::size_t i = 0; i < sites.size(); ++i)
            site(sites[i], fmt::format("sites[{}]", i));
        const std::vector<View> links = file.objects("links");
        for (std::size_t i = 0; i < links.size(); ++i)
            link(links[i], fmt::format("links[{}]", i));
        return std::move(fleet_);
    }

private:
    void site(const View& view, const std::string& path) {
        Site site;
        site.name = *view.text("name");
        const auto line = view.place("name").line;
        if (const auto [at, added] = sites_.emplace(site.name, line); !added) {
            problems_.add(
                view.place("name"),
                path + ".name",
                fmt::format(
                    "'{}' is already the name of the site in line {}", site.name, at->second));
        }
        if (const auto executor = view.object("executor")) {
            site.executor = executor->text("kind").value_or(site.executor);
        }
        site.power_watts = budget(view, path, "power");
        if (const auto storage = view.object("storage")) {
            site.storage = storage_in(*storage, path + ".storage");
        }
        if (view.node("pools")->items.empty()) {
            problems_.add(
                view.place("pools"), path + ".pools", "is empty; a site has at least one pool");
        }
        std::set<std::string> chips;
        const std::vector<View> pools = view.objects("pools");
        for (std::size_t i = 0; i < pools.size(); ++i) {
            chips.insert(pool(pools[i], fmt::format("{}.pools[{}]", path, i), site.name));
        }
        if (const yaml::Node* price = view.node("price")) {
            for (std::size_t i = 0; i < price->keys.size(); ++i) {
                const yaml::Key& key = price->keys[i];
                site.price.emplace(key.text, *parse_price(price->items[i].text));
                if (chips.count(key.text) > 0) continue;
                problems_.add(key.place,
                              path + ".price",
                              fmt::format("no pool of this site has the chip '{}'", key.text));
            }
        }
        fleet_.sites.push_back(std::move(site));
    }

    Storage storage_in(const View& view, const std::string& path) {
        Storage storage{.bytes_per_s = view.bandwidth_bytes_per_s("bandwidth").value_or(0),
                        .capacity = view.bytes("capacity").value_or(Bytes{}),
                        .root = view.text("root").value_or("")};
        if (!storage.root.empty()) {
            const std::uint32_t line = view.place("root").line;
            const auto [known, added] = roots_.emplace(storage.root, line);
            if (!added) {
                problems_.add(view.place("root"),
                              path + ".root",
                              fmt::format("'{}' is the root in line {} already; nodes that share a "
                                          "storage are pools of one site",
                                          storage.root,
                                          known->second));
            }
        }
        const yaml::Node* const datasets = view.node("datasets");
        if (datasets == nullptr) return storage;
        Bytes sum;
        for (std::size_t i = 0; i < datasets->keys.size(); ++i) {
            const yaml::Key& key = datasets->keys[i];
            const Bytes size = *parse_bytes(datasets->items[i].text);
            storage.datasets.emplace(key.text, size);
            sum = sum + size;
            const auto [known, added] =
                datasets_.emplace(key.text, std::pair{size, key.place.line});
            if (added || known->second.first == size) continue;
            problems_.add(key.place,
                          path + ".datasets",
                          fmt::format("'{}' has {} here and {} in line {}; a dataset has one size",
                                      key.text,
                                      format_bytes(size),
                                      format_bytes(known->second.first),
                                      known->second.second));
        }
        if (storage.capacity.count > 0 && sum > storage.capacity) {
            problems_.add(view.place("datasets"),
                          path + ".datasets",
                          fmt::format("{} of datasets do not fit into a capacity of {}",
                                      format_bytes(sum),
                                      format_bytes(storage.capacity)));
        }
        return storage;
    }

    // Gives the kind of its chips.
    std::string pool(const View& view, const std::string& path, const std::string& site) {
        Pool pool;
        pool.name = *view.text("name");
        pool.site = site;
        pool.chip = view.text("chip").value_or("");
        pool.nodes = count_of(view, "nodes");
        pool.chips_per_node = count_of(view, "chips_per_node");
        pool.cpus_milli =
            static_cast<std::uint32_t>(std::llround(view.number("cpus").value_or(0) * 1000));
        pool.memory = view.bytes("memory").value_or(Bytes{});
        pool.nodes_per_rack = count_of(view, "nodes_per_rack");
        pool.racks_per_pod = count_of(view, "racks_per_pod");
        pool.rack_power_watts = budget(view, path, "rack_power");
        pool.pod_power_watts = budget(view, path, "pod_power");
        if (const auto reliability = view.object("reliability")) {
            pool.node_mtbf =
                mtbf_of_node(reliability->text("mtbf").value_or("")).value_or(Duration{});
            pool.node_repair = reliability->duration("repair").value_or(Duration{});
        }
        if (const auto power = view.object("node_power")) {
            pool.node_idle_watts = power->power_watts("idle").value_or(0);
            pool.node_busy_watts = power->power_watts("busy").value_or(0);
            if (pool.node_idle_watts > pool.node_busy_watts) {
                problems_.add(power->place("idle"),
                              path + ".node_power.idle",
                              "an idle node draws more than a busy one");
            }
        }
        pool.node_names = view.texts("node_names");

        const auto line = view.place("name").line;
        if (const auto [at, added] = pools_.emplace(pool.name, line); !added) {
            problems_.add(
                view.place("name"),
                path + ".name",
                fmt::format(
                    "'{}' is already the name of the pool in line {}", pool.name, at->second));
        }
        if (!pool.chip.empty() && pool.chips_per_node == 0) {
            problems_.add(view.place("chip"),
                          path,
                          fmt::format("has the chip '{}' but no chips_per_node; write how many "
                                      "each node has",
                                      pool.chip));
        }
        if (pool.chip.empty() && pool.chips_per_node > 0) {
            problems_.add(view.place("chips_per_node"),
                          path,
                          "has chips_per_node but no chip; write which kind it is");
        }
        if (pool.racks_per_pod > 0 && pool.nodes_per_rack == 0) {
            problems_.add(view.place("racks_per_pod"),
                          path,
                          "has racks_per_pod but no nodes_per_rack; racks need a size first");
        }
        if (pool.chips_per_node == 0 && pool.cpus_milli == 0) {
            problems_.add(view.place("name"),
                          path,
                          "has neither chips nor cpus, so no job could ever ask for it");
        }
        check_names(view, path, pool);
        std::string chip = pool.chip;
        fleet_.pools.push_back(std::move(pool));
        return chip;
    }

    // 0 stands for none in a Fleet, but who writes 0W may mean the opposite.
    double budget(const View& view, const std::string& path, std::string_view key) {
        const auto watts = view.power_watts(key);
        if (watts == 0.0) {
            problems_.add(view.place(key),
                          fmt::format("{}.{}", path, key),
                          fmt::format("'{}' is no budget; write a power above 0, such as 15kW, or "
                                      "leave {} out for none",
                                      view.text(key).value_or(""),
                                      key));
        }
        return watts.value_or(0);
    }

    void check_names(const View& view, const std::string& path, const Pool& pool) {
        if (pool.node_names.empty()) return;
        if (pool.node_names.size() != pool.nodes) {
            problems_.add(
                view.place("node_names"),
                path + ".node_names",
                fmt::format("has {} names for {} nodes", pool.node_names.size(), pool.nodes));
        }
        std::set<std::string_view> seen;
        for (const std::string& name : pool.node_names) {
            if (seen.insert(name).second) continue;
            problems_.add(view.place("node_names"),
                          path + ".node_names",
                          fmt::format("the name '{}' stands there twice", name));
        }
    }

    void link(const View& view, const std::string& path) {
        const std::vector<std::string> ends = view.texts("between");
        if (ends.size() != 2 || ends[0] == ends[1]) {
            problems_.add(view.place("between"),
                          path + ".between",
                          "must name two different sites, such as [hefei-ai, wuxi-hpc]");
            return;
        }
        for (const std::string& end : ends) {
            if (sites_.count(end) > 0) continue;
            std::vector<std::string_view> known;
            for (const auto& [name, line] : sites_)
                known.push_back(name);
            const auto near = schema::nearest(end, known);
            problems_.add(view.place("between"),
                          path + ".between",
                          fmt::format("no site is called '{}'{}",
                                      end,
                                      near ? fmt::format("; did you mean '{}'?", *near) : ""));
        }
        SiteLink its{.between = {ends[0], ends[1]},
                     .bytes_per_s = view.bandwidth_bytes_per_s("bandwidth").value_or(0),
                     .latency = view.duration("latency").value_or(Duration{})};
        if (its.bytes_per_s <= 0) {
            problems_.add(view.place("bandwidth"),
                          path + ".bandwidth",
                          "is nothing; write what goes over the link, such as 10GB/s, or leave the "
                          "link out");
        }
        fleet_.links.push_back(std::move(its));
    }

    Problems& problems_;
    Fleet fleet_;
    std::map<std::string, std::uint32_t> sites_;  // and the line of their names
    std::map<std::string, std::uint32_t> pools_;
    std::map<std::string, std::pair<Bytes, std::uint32_t>> datasets_;  // size, and line
    std::map<std::string, std::uint32_t> roots_;                       // line
};

std::string quoted(std::string_view text) {
    // Names hold neither quotes nor backslashes: schema::test_name().
    return fmt::format("\"{}\"", text);
}

std::string exact(double value, std::string_view unit) {
    return fmt::format("{:f}{}", value, unit);
}

std::string print_storage(const Storage& storage) {
    std::string parts;
    const auto add = [&parts](std::string_view key, const std::string& value) {
        parts += fmt::format("{}{}: {}", parts.empty() ? "" : ", ", key, value);
    };
    if (storage.bytes_per_s > 0) add("bandwidth", exact(storage.bytes_per_s, "B/s"));
    if (storage.capacity.count > 0) add("capacity", fmt::format("{}B", storage.capacity.count));
    std::string datasets;
    for (const auto& [name, size] : storage.datasets)
        datasets +=
            fmt::format("{}{}: {}B", datasets.empty() ? "" : ", ", quoted(name), size.count);
    if (!datasets.empty()) add("datasets", "{" + datasets + "}");
    if (!storage.root.empty()) add("root", quoted(storage.root));
    return fmt::format("    storage: {{{}}}\n", parts);
}

}  // namespace

const schema::Object& fleet_schema() {
    static const schema::Object table{
        "fleet",
        "The sites that make one pool of compute.",
        {
            {"sites", schema::list_of(schema::object(site_schema())), "The sites", "", "", true},
            {"links",
             schema::list_of(schema::object(site_link_schema())),
             "Connections between sites",
             "[{between: [hefei-ai, wuxi-hpc], bandwidth: 10GB/s, latency: 12ms}]"},
        },
        {{"pools", "pools belong to a site: write sites: [{name: …, pools: …}]"}}};
    return table;
}

namespace {

// The core keeps sets of kinds in words of 64 bits; one bit is for nodes without chips.
Result<void> check_kinds(const Fleet& fleet, std::string_view source) {
    std::set<std::string_view> kinds;
    for (const Pool& pool : fleet.pools) {
        if (pool.chips_per_node > 0) kinds.insert(pool.chip);
        if (kinds.size() <= chip_kinds_max) continue;
        return fail(Code::too_large,
                    fmt::format("{}: sites: pool '{}' brings kind of chip number {}, '{}'; a fleet "
                                "has at most {}",
                                source,
                                pool.name,
                                kinds.size(),
                                pool.chip,
                                chip_kinds_max));
    }
    return {};
}

}  // namespace

Result<ParsedFleet> read_fleet_text(std::string_view text, std::string_view source) {
    WEIR_TRY(const yaml::Node tree, yaml::parse(text, source, yaml::fleet_limits));
    WEIR_CHECK(schema::check(fleet_schema(), tree, source));
    Problems problems(source);
    ParsedFleet parsed;
    parsed.fleet = Reader(problems).read(View(tree));
    WEIR_CHECK(problems.result());
    WEIR_CHECK(check_kinds(parsed.fleet, source));
    for (const std::string& path : schema::checked_only(fleet_schema(), tree)) {
        parsed.notes.push_back(
            fmt::format("{} is checked, but does not change what this version decides", path));
    }
    for (std::string& sentence : idle_budgets(parsed.fleet))
        parsed.notes.push_back(std::move(sentence));
    return parsed;
}

Result<Fleet> read_fleet(const std::string& path) {
    WEIR_TRY(const std::string text, read_text_file(path, yaml::fleet_limits.bytes_max));
    WEIR_TRY(ParsedFleet parsed, read_fleet_text(text, path == "-" ? "standard input" : path));
    return std::move(parsed.fleet);
}

std::string fleet_reference() {
    return R"(# Fleet file

What exists: sites, their pools of identical nodes, and how they are joined. Read by `weir up --fleet FILE`
([several sites on one machine](../guides/operate.md#several-sites-on-one-machine)), `weir simulate --fleet FILE`, `weir trace generate` and
`weir offers --fleet FILE`, and checked by `weir schema check FILE`. YAML or JSON, at most 16 MiB; quantities carry units. Parts marked
*(checked only)* must be right but do not change what this version decides. This page is generated: `weir schema fleet --markdown`.

```yaml
sites:
  - name: hefei-ai
    executor: {kind: slurm}
    pools:
      - name: ai-a
        chip: ascend-910b3
        nodes: 1250
        chips_per_node: 8
        cpus: 192
        memory: 1536GiB
        nodes_per_rack: 2
        racks_per_pod: 16
```

)" + schema::markdown(fleet_schema());
}

std::string print_fleet(const Fleet& fleet) {
    std::string out = "sites:\n";
    for (const Site& site : fleet.sites) {
        out += fmt::format(
            "  - name: {}\n    executor: {{kind: {}}}\n", quoted(site.name), site.executor);
        if (site.power_watts > 0)
            out += fmt::format("    power: {}\n", exact(site.power_watts, "W"));
        if (!site.price.empty()) {
            std::string prices;
            for (const auto& [chip, price] : site.price) {
                prices += fmt::format("{}{}: {}",
                                      prices.empty() ? "" : ", ",
                                      quoted(chip),
                                      quoted(format_price(price)));
            }
            out += fmt::format("    price: {{{}}}\n", prices);
        }
        if (site.storage != Storage{}) out += print_storage(site.storage);
        out += "    pools:\n";
        for (const Pool& pool : fleet.pools) {
            if (pool.site != site.name) continue;
            const auto line = [&out](std::string_view key, const std::string& value) {
                out += fmt::format("        {}: {}\n", key, value);
            };
            out += fmt::format("      - name: {}\n", quoted(pool.name));
            if (!pool.chip.empty()) line("chip", quoted(pool.chip));
            line("nodes", std::to_string(pool.nodes));
            if (pool.chips_per_node > 0)
                line("chips_per_node", std::to_string(pool.chips_per_node));
            if (pool.cpus_milli > 0) {
                line("cpus",
                     fmt::format("{}.{:03}", pool.cpus_milli / 1000, pool.cpus_milli % 1000));
            }
            if (pool.memory.count > 0) line("memory", fmt::format("{}B", pool.memory.count));
            if (pool.nodes_per_rack > 0)
                line("nodes_per_rack", std::to_string(pool.nodes_per_rack));
            if (pool.racks_per_pod > 0) line("racks_per_pod", std::to_string(pool.racks_per_pod));
            if (pool.rack_power_watts > 0) line("rack_power", exact(pool.rack_power_watts, "W"));
            if (pool.pod_power_watts > 0) line("pod_power", exact(pool.pod_power_watts, "W"));
            const auto time = [](Duration its) { return fmt::format("{}ms", its.count()); };
            std::string reliability;
            if (pool.node_mtbf > Duration{0})
                reliability = "mtbf: " + time(pool.node_mtbf) + "/node";
            if (pool.node_repair > Duration{0}) {
                reliability += reliability.empty() ? "" : ", ";
                reliability += "repair: " + time(pool.node_repair);
            }
            if (!reliability.empty()) line("reliability", "{" + reliability + "}");
            if (pool.node_idle_watts > 0 || pool.node_busy_watts > 0) {
                line("node_power",
                     fmt::format("{{idle: {}, busy: {}}}",
                                 exact(pool.node_idle_watts, "W"),
                                 exact(pool.node_busy_watts, "W")));
            }
            if (!pool.node_names.empty()) {
                std::string names;
                for (const std::string& name : pool.node_names) {
                    names += (names.empty() ? "" : ", ") + quoted(name);
                }
                line("node_names", "[" + names + "]");
            }
        }
    }
    if (!fleet.links.empty()) out += "links:\n";
    for (const SiteLink& link : fleet.links) {
        out += fmt::format("  - {{between: [{}, {}], bandwidth: {}, latency: {}ms}}\n",
                           quoted(link.between[0]),
                           quoted(link.between[1]),
                           exact(link.bytes_per_s, "B/s"),
                           link.latency.count());
    }
    return out;
}

}  // namespace weir::fleet
