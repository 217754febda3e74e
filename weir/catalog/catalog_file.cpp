#include "weir/catalog/catalog_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "weir/base/text_file.hpp"
#include "weir/catalog/catalog.hpp"

namespace weir::catalog {
namespace {

using schema::Problems;
using schema::View;

enum class Unit : std::uint8_t { flops, ops, bytes };

struct Amount {
    double value = 0;
    std::optional<Unit> unit;  // none of "none", which fits every unit
};

// "989 TFLOP/s", "1979 TOP/s", "4.8 TB/s", "none".
std::optional<Amount> amount_of(std::string_view text) {
    if (text == "none") return Amount{};
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) return std::nullopt;
    std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    while (!unit.empty() && unit.front() == ' ')
        unit.remove_prefix(1);
    struct Named {
        std::string_view name;
        Unit unit;
    };
    constexpr std::array<Named, 3> units{
        {{"FLOP/s", Unit::flops}, {"OP/s", Unit::ops}, {"B/s", Unit::bytes}}};
    constexpr std::string_view prefixes = "kMGTPE";
    double factor = 1;
    for (const Named& named : units) {
        const bool ends = unit.size() >= named.name.size() &&
                          unit.substr(unit.size() - named.name.size()) == named.name;
        if (!ends) continue;
        const std::string_view prefix = unit.substr(0, unit.size() - named.name.size());
        if (!prefix.empty()) {
            const auto power = prefixes.find(prefix.front());
            if (prefix.size() != 1 || power == std::string_view::npos) continue;
            for (std::size_t i = 0; i <= power; ++i)
                factor *= 1000;
        }
        if (!is_sound_rate(value * factor)) return std::nullopt;
        return Amount{value * factor, named.unit};
    }
    return std::nullopt;
}

std::optional<std::string> test_rate(std::string_view text) {
    if (amount_of(text)) return std::nullopt;
    return "is not a rate: write a number and a unit, such as 989 TFLOP/s, 1979 TOP/s (integers) "
           "or 4.8 TB/s (memory), from 1 to 1e24 in all, or none where the chip has no such units";
}

std::optional<std::uint64_t> size_of(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    if (value < 1 || value > (std::uint64_t{1} << 40)) return std::nullopt;
    return value;
}

std::optional<std::string> test_size(std::string_view text) {
    if (size_of(text)) return std::nullopt;
    return "is not the size of a matrix: write a whole number from 1";
}

schema::Value name() {
    return schema::word("name", schema::test_name, "");
}
schema::Value rate() {
    return schema::word("rate", test_rate, "^(none|[0-9].*/s)$");
}

const schema::Object& rate_schema() {
    static const schema::Object table{
        "rate",
        "How fast a chip does something, and how that is known. Dense: without 2:4 sparsity.",
        {
            {"op",
             schema::choice({"gemm", "vector", "spmv", "fft", "attention", "memory"}),
             "What it does: matrix products, everything element by element, moving data, …",
             "gemm",
             "",
             true},
            {"format",
             schema::list_or_one(schema::choice(format_names())),
             "In which formats; of memory none",
             "bf16"},
            {"value", rate(), "How fast, or none where the chip has no such units", "989 TFLOP/s"},
            {"by_dim",
             schema::map_of(rate(), test_size),
             "Instead of value: by the size of square matrices",
             "{1024: 27.9 TFLOP/s, 16384: 36.1 TFLOP/s}"},
            {"basis",
             schema::choice(basis_names()),
             "How it is known, from the best founded on",
             "published",
             "",
             true},
            {"way",
             schema::choice(way_names()),
             "By which way; host is for what the processors of the node do instead of the chip",
             "emulated",
             "native"},
            {"method",
             schema::text(),
             "Of a way that is not native; a rate without one speaks for all methods of its way",
             "oz2-int8-15"},
            {"grade",
             schema::choice(grade_names()),
             "What may be relied on; certified needs evidence, which source names: a check of "
             "every "
             "call, or published accuracy for range_bits",
             "certified",
             "strict if native, else bounded"},
            {"range_bits",
             schema::integer(0, 2048),
             "Of a way that is not native: for exponents that spread so far in a row or column it "
             "has its grade; a job must declare a range within it",
             "20",
             "any if certified, 20 if bounded"},
            {"memory_factor",
             schema::number(1, 100),
             "Memory that it needs, over what the data takes",
             "3",
             "1"},
            {"exact",
             schema::boolean(),
             "Of an integer product: whether it was found exact; one that is not carries no "
             "emulation",
             "true"},
            {"source", schema::text(), "Who says so", "GEMM measurements of zzc0721", "the chip's"},
            {"date", schema::quantity(schema::Type::time), "When it was found", "2026-11-01"},
        },
        {{"impl", "write way"}, {"dtype", "write format"}, {"tflops", "write value: N TFLOP/s"}}};
    return table;
}

const schema::Object& chip_schema() {
    static const schema::Object table{
        "chip",
        "A kind of chip. Of one that is known already, what is said here comes on top.",
        {
            {"name", name(), "As fleets and jobs call it", "h200", "", true},
            {"aliases", schema::list_or_one(name()), "Further names", "[h200-sxm]"},
            {"vendor", schema::text(), "Who makes it", "NVIDIA"},
            {"product", schema::text(), "As it is sold", "H200 SXM 141GB"},
            {"year", schema::integer(1990, 2100), "Since when", "2024"},
            {"memory",
             schema::quantity(schema::Type::bytes),
             "Of one chip; the size that it is sold as, in binary units",
             "141GiB",
             "unknown"},
            {"link",
             schema::quantity(schema::Type::bandwidth),
             "To other chips of its node: both ways, all links of one chip",
             "900GB/s",
             "unknown"},
            {"tdp", schema::quantity(schema::Type::power), "Its rated power", "700W", "unknown"},
            {"stacks",
             schema::list_or_one(name()),
             "Software that runs on it",
             "[cuda]",
             "unknown"},
            {"domestic", schema::boolean(), "Of a Chinese vendor", "true", "false"},
            {"devices",
             schema::integer(1, 64),
             "As so many devices the operating system shows one package",
             "2",
             "1"},
            {"note", schema::text(), "What to know before trusting the numbers", "no usable BF16"},
            {"source", schema::text(), "Who says so, where a rate does not", "vendor data sheet"},
            {"rates", schema::list_of(schema::object(rate_schema())), "How fast it is"},
        },
        {{"bandwidth", "write a rate: {op: memory, value: 4.8 TB/s, basis: vendor_peak}"},
         {"power", "write tdp"},
         {"stack", "write stacks"}}};
    return table;
}

// Turns a checked tree into records and collects what no table can say.
class Reader {
public:
    Reader(Problems& problems, const Catalog* known) : problems_(problems), known_(known) {}

    std::vector<ChipRecord> read(const View& file) {
        const std::vector<View> chips = file.objects("chips");
        for (std::size_t i = 0; i < chips.size(); ++i)
            chip(chips[i], fmt::format("chips[{}]", i));
        return std::move(chips_);
    }

private:
    void chip(const View& view, const std::string& path) {
        ChipRecord chip;
        chip.name = *view.text("name");
        named(chip.name, view, "name", path);
        chip.aliases = view.texts("aliases");
        for (const std::string& alias : chip.aliases) {
            named(alias, view, "aliases", path);
            const ChipRecord* other = known_ == nullptr ? nullptr : known_->find(alias);
            if (other == nullptr || other == known_->find(chip.name)) continue;
            problems_.add(view.place("aliases"),
                          path + ".aliases",
                          fmt::format("'{}' is already a name of {}", alias, other->name));
        }
        chip.vendor = view.text("vendor").value_or("");
        chip.product = view.text("product").value_or("");
        chip.year = static_cast<std::uint32_t>(view.integer("year").value_or(0));
        chip.memory = view.bytes("memory").value_or(Bytes{});
        if (const auto link = view.text("link")) {
            chip.link_bytes_per_s = parse_bandwidth_bytes_per_s(*link).value_or(0);
        }
        chip.tdp_watts = view.power_watts("tdp").value_or(0);
        chip.stacks = view.texts("stacks");
        chip.domestic = view.text("domestic") == "true";
        chip.devices = static_cast<std::uint32_t>(view.integer("devices").value_or(1));
        chip.note = view.text("note").value_or("");
        const std::string source = view.text("source").value_or("");
        const std::vector<View> rates = view.objects("rates");
        for (std::size_t i = 0; i < rates.size(); ++i)
            rate(rates[i], fmt::format("{}.rates[{}]", path, i), source, chip);
        chips_.push_back(std::move(chip));
    }

    void named(const std::string& name,
               const View& view,
               std::string_view key,
               const std::string& path) {
        const auto line = view.place(key).line;
        // Whatever the case of its letters, as it is looked for.
        if (const auto [at, added] = names_.emplace(small_letters(name), line); !added) {
            problems_.add(view.place(key),
                          fmt::format("{}.{}", path, key),
                          fmt::format("'{}' already names the chip in line {}", name, at->second));
        }
    }

    void rate(const View& view,
              const std::string& path,
              const std::string& source,
              ChipRecord& chip) {
        Rate rate;
        rate.op = *view.text("op");
        rate.basis = *basis_from_name(*view.text("basis"));
        if (const auto way = view.text("way")) rate.way = *way_from_name(*way);
        const bool replaces = rate.way != Way::native && rate.way != Way::host;
        rate.grade = replaces ? Grade::bounded : Grade::strict;
        if (const auto grade = view.text("grade")) rate.grade = *grade_from_name(*grade);
        rate.method = view.text("method").value_or("");
        if (const auto bits = view.integer("range_bits")) {
            rate.range_bits = static_cast<std::uint32_t>(*bits);
            if (!replaces) {
                problems_.add(
                    view.place("range_bits"),
                    path + ".range_bits",
                    "native arithmetic holds for every range; leave it out, or write way");
            }
        }
        rate.memory_factor = view.number("memory_factor").value_or(1);
        if (const auto exact = view.text("exact")) rate.exact = *exact == "true";
        rate.source = view.text("source").value_or(source);
        if (const auto date = view.text("date")) {
            if (const auto at = parse_time(*date)) rate.date = *at;
        }
        const std::vector<std::string> formats = view.texts("format");
        const bool of_memory = rate.op == "memory";
        if (of_memory != formats.empty()) {
            problems_.add(view.place(of_memory ? "format" : "op"),
                          path,
                          of_memory ? "a rate of memory has no format; leave it out"
                                    : "the key 'format' is missing; write format: bf16");
            return;
        }
        if (!read_amounts(view, path, formats, rate)) return;
        if (of_memory) {
            chip.rates.push_back(std::move(rate));
            return;
        }
        for (const std::string& format : formats) {
            rate.format = format;
            chip.rates.push_back(rate);
        }
    }

    bool read_amounts(const View& view,
                      const std::string& path,
                      const std::vector<std::string>& formats,
                      Rate& rate) {
        const yaml::Node* value = view.node("value");
        const yaml::Node* sizes = view.node("by_dim");
        if ((value == nullptr) == (sizes == nullptr) ||
            (sizes != nullptr && sizes->items.empty())) {
            problems_.add(view.place(sizes != nullptr ? "by_dim" : "op"),
                          path,
                          "write either value: 989 TFLOP/s, or by_dim with a rate for each size");
            return false;
        }
        bool sound = true;
        const auto take = [&](const yaml::Node& node) {
            const Amount amount = *amount_of(node.text);
            for (const std::string& format : formats)
                sound =
                    fits(amount,
                         facts_of(*format_from_name(format)).is_integer ? Unit::ops : Unit::flops,
                         node,
                         path) &&
                    sound;
            if (formats.empty()) sound = fits(amount, Unit::bytes, node, path) && sound;
            return amount.value;
        };
        if (value != nullptr) {
            rate.value = take(*value);
            return sound;
        }
        for (std::size_t i = 0; i < sizes->keys.size(); ++i) {
            if (amount_of(sizes->items[i].text)->value <= 0) {
                problems_.add(sizes->items[i].place,
                              path + ".by_dim",
                              "a chip without such units has them for no size; write value: none");
                return false;
            }
            rate.by_dim.emplace_back(*size_of(sizes->keys[i].text), take(sizes->items[i]));
        }
        std::sort(rate.by_dim.begin(), rate.by_dim.end());
        const auto twice = std::adjacent_find(
            rate.by_dim.begin(), rate.by_dim.end(), [](const auto& a, const auto& b) {
                return a.first == b.first;
            });
        if (twice != rate.by_dim.end()) {
            problems_.add(sizes->place,
                          path + ".by_dim",
                          fmt::format("the size {} stands there twice", twice->first));
            return false;
        }
        rate.value = rate.by_dim.back().second;
        return sound;
    }

    bool fits(const Amount& amount, Unit unit, const yaml::Node& node, const std::string& path) {
        if (!amount.unit || *amount.unit == unit) return true;
        constexpr std::array<std::string_view, 3> units{
            "FLOP/s, as floating-point formats do", "OP/s, as integers do", "B/s, as memory does"};
        problems_.add(
            node.place,
            path,
            fmt::format(
                "'{}' should end in {}", node.text, units.at(static_cast<std::size_t>(unit))));
        return false;
    }

    Problems& problems_;
    const Catalog* known_;
    std::vector<ChipRecord> chips_;
    std::map<std::string, std::uint32_t> names_;  // and their lines
};

yaml::Node leaf(std::string text) {
    yaml::Node node;
    node.quoted = true;
    node.text = std::move(text);
    return node;
}

yaml::Node list(const std::vector<std::string>& words) {
    yaml::Node node;
    node.kind = yaml::Kind::sequence;
    for (const std::string& word : words)
        node.items.push_back(leaf(word));
    return node;
}

// A map that is written key by key; what is empty is left out.
struct Writer {
    yaml::Node node;
    Writer() { node.kind = yaml::Kind::map; }
    void put(std::string key, yaml::Node value) {
        if (value.kind != yaml::Kind::scalar && value.items.empty()) return;
        if (value.kind == yaml::Kind::scalar && value.text.empty()) return;
        node.keys.push_back({std::move(key), {}});
        node.items.push_back(std::move(value));
    }
    void put(std::string key, std::string_view text) {
        put(std::move(key), leaf(std::string(text)));
    }
};

std::string_view unit_of(const Rate& rate) {
    if (rate.op == "memory") return "B/s";
    const auto format = format_from_name(rate.format);
    return format && facts_of(*format).is_integer ? "OP/s" : "FLOP/s";
}

yaml::Node node_of(const Rate& rate) {
    const auto amount = [&rate](double value) {
        return fmt::format("{:.17g} {}", value, unit_of(rate));
    };
    Writer out;
    out.put("op", rate.op);
    out.put("format", rate.format);
    Writer sizes;
    for (const auto& [dim, value] : rate.by_dim)
        sizes.put(std::to_string(dim), amount(value));
    if (rate.by_dim.empty()) out.put("value", amount(rate.value));
    out.put("by_dim", std::move(sizes.node));
    out.put("basis", name_of(rate.basis));
    out.put("way", name_of(rate.way));
    out.put("grade", name_of(rate.grade));
    out.put("method", rate.method);
    if (rate.range_bits) out.put("range_bits", std::to_string(*rate.range_bits));
    out.put("memory_factor", fmt::format("{:.17g}", rate.memory_factor));
    if (rate.exact) out.put("exact", *rate.exact ? "true" : "false");
    out.put("source", rate.source);
    if (rate.date) out.put("date", format_time(*rate.date));
    return std::move(out.node);
}

yaml::Node node_of(const ChipRecord& chip) {
    Writer out;
    out.put("name", chip.name);
    out.put("aliases", list(chip.aliases));
    out.put("vendor", chip.vendor);
    out.put("product", chip.product);
    if (chip.year != 0) out.put("year", std::to_string(chip.year));
    if (chip.memory.count != 0) out.put("memory", fmt::format("{}B", chip.memory.count));
    if (chip.link_bytes_per_s != 0) out.put("link", fmt::format("{:f}B/s", chip.link_bytes_per_s));
    if (chip.tdp_watts != 0) out.put("tdp", fmt::format("{:f}W", chip.tdp_watts));
    out.put("stacks", list(chip.stacks));
    if (chip.domestic) out.put("domestic", "true");
    if (chip.devices != 1) out.put("devices", std::to_string(chip.devices));
    out.put("note", chip.note);
    yaml::Node rates;
    rates.kind = yaml::Kind::sequence;
    for (const Rate& rate : chip.rates)
        rates.items.push_back(node_of(rate));
    out.put("rates", std::move(rates));
    return std::move(out.node);
}

}  // namespace

const schema::Object& catalog_schema() {
    static const schema::Object table{
        "catalog",
        "What is known of chips.",
        {{"chips", schema::list_of(schema::object(chip_schema())), "The chips", "", "", true}},
        {{"devices", "write chips"}, {"accelerators", "write chips"}}};
    return table;
}

Result<std::vector<ChipRecord>> read_catalog_text(std::string_view text,
                                                  std::string_view source,
                                                  const Catalog* known) {
    WEIR_TRY(const yaml::Node tree, yaml::parse(text, source, yaml::fleet_limits));
    WEIR_CHECK(schema::check(catalog_schema(), tree, source));
    Problems problems(source);
    std::vector<ChipRecord> chips = Reader(problems, known).read(View(tree));
    WEIR_CHECK(problems.result());
    return chips;
}

Result<std::vector<ChipRecord>> read_catalog_file(const std::string& path, const Catalog* known) {
    WEIR_TRY(const std::string text, read_text_file(path, yaml::fleet_limits.bytes_max));
    return read_catalog_text(text, path == "-" ? "standard input" : path, known);
}

std::string print_catalog(const std::vector<ChipRecord>& chips) {
    yaml::Node list;
    list.kind = yaml::Kind::sequence;
    for (const ChipRecord& chip : chips)
        list.items.push_back(node_of(chip));
    yaml::Node file;
    file.kind = yaml::Kind::map;
    file.keys.push_back({"chips", {}});
    file.items.push_back(std::move(list));
    return yaml::print(file);
}

std::string catalog_reference() {
    return R"(# Catalogue file

What chips can do, and how that is known. weir carries a catalogue (the files in `catalog/`; `weir chips` lists it); files of this
language add to it: `weir offers JOB --fleet FILE --catalog FILE`, `weir up --catalog FILE`. YAML or JSON, at most 16 MiB. What is said
of a chip that is known already comes on top: further rates stand beside the known ones, and the best founded of them counts. This page
is generated: `weir schema catalog --markdown`.

```yaml
chips:
  - name: h200
    rates:
      - {op: gemm, format: fp64, by_dim: {4096: 58.1 TFLOP/s, 16384: 61.0 TFLOP/s}, basis: measured, date: 2026-11-20}
      - {op: memory, value: 4.1 TB/s, basis: measured, date: 2026-11-20}
  - name: our-npu
    vendor: Example
    memory: 64GiB
    stacks: [cann]
    rates:
      - {op: gemm, format: int8, value: 400 TOP/s, basis: measured, exact: true}
      - {op: vector, format: fp32, value: 12 TFLOP/s, basis: vendor_peak}
      - {op: vector, format: fp64, value: none, basis: published}
```

Rates are of one chip and dense. What is not said is unknown, and a job that needs it is promised nothing; `none` says that the chip
has no such units. Plans count on a share of a rate that depends on its basis:

| basis | what it means | counted |
| --- | --- | --- |
| `measured` | on these chips, by their owner | 100 % |
| `published` | measured by third parties | 90 % |
| `derived` | follows from other rates by a rule | 75 % |
| `vendor_peak` | from the vendor's sheet | 50 % |
| `assumed` | from a source that nobody could check | 30 % |

)" + schema::markdown(catalog_schema());
}

}  // namespace weir::catalog
