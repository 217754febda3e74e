// `weir chips`: what the catalogue knows, and how well.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "weir/base/text_table.hpp"
#include "weir/base/units.hpp"
#include "weir/catalog/catalog.hpp"
#include "weir/catalog/emulation.hpp"
#include "weir/cli/offers.hpp"
#include "weir/cli/print.hpp"

namespace weir::cli {
namespace {

using catalog::Catalog;
using catalog::ChipRecord;
using catalog::Rate;

// A number in a table of many: "790" is somebody's measurement, "~989" an estimate, "none" the
// knowledge that there is nothing, "-" that nobody knows.
std::string cell(const Rate* rate, double unit) {
    if (rate == nullptr) return "-";
    if (rate->value <= 0) return "none";
    const double value = rate->value / unit;
    return (is_evidence(rate->basis) ? "" : "~") +
           (value < 10 ? fmt::format("{:.2g}", value) : fmt::format("{:.0f}", value));
}

// Of products, where they are known, else of everything else.
const Rate* rate_of(const ChipRecord& chip, std::string_view format) {
    const Rate* gemm = chip.rate(format, "gemm");
    return gemm != nullptr ? gemm : chip.rate(format, "vector");
}

std::string joined(const std::vector<std::string>& words) {
    std::string all;
    for (const std::string& word : words)
        all += (all.empty() ? "" : ", ") + word;
    return all;
}

void list(const Catalog& catalog) {
    TextTable table({{"chip"},
                     {"vendor", false, true},
                     {"memory", true},
                     {"fp64", true},
                     {"fp32", true},
                     {"bf16", true},
                     {"fp8", true},
                     {"int8", true},
                     {"GB/s", true},
                     {"stack", false, true}});
    for (const ChipRecord& chip : catalog.chips()) {
        table.row({chip.name,
                   chip.vendor,
                   chip.memory.count > 0 ? format_bytes(chip.memory) : "-",
                   cell(rate_of(chip, "fp64"), 1e12),
                   cell(rate_of(chip, "fp32"), 1e12),
                   cell(rate_of(chip, "bf16"), 1e12),
                   cell(rate_of(chip, "fp8"), 1e12),
                   cell(rate_of(chip, "int8"), 1e12),
                   cell(chip.rate("", "memory"), 1e9),
                   joined(chip.stacks)});
    }
    out(table.text(output_width()));
    note(
        "TFLOP/s and TOP/s of one chip, dense; plain: measured or published, ~ an estimate, none: "
        "it has no such units, -: not known. `weir chips NAME` says the basis of each number");
}

std::string what_of(const Rate& rate) {
    std::string text = rate.op;
    if (!rate.format.empty()) text = fmt::format("{} {}", rate.format, rate.op);
    if (rate.way != catalog::Way::native) text += fmt::format(", {}", name_of(rate.way));
    if (!rate.method.empty()) text += " " + rate.method;
    if (rate.grade != catalog::Grade::strict) text += fmt::format(" ({})", name_of(rate.grade));
    return text;
}

std::string amount_of(const Rate& rate) {
    if (rate.value <= 0) return "none";
    const auto format = catalog::format_from_name(rate.format);
    const bool integer = format && facts_of(*format).is_integer;
    const std::string unit = rate.op == "memory" ? "B/s" : integer ? "OP/s" : "FLOP/s";
    if (rate.by_dim.size() < 2) return format_rate(rate.value, unit);
    return fmt::format("{} to {}",
                       format_rate(rate.by_dim.front().second, unit),
                       format_rate(rate.by_dim.back().second, unit));
}

void show(const ChipRecord& chip) {
    std::string text = paint(chip.name, Tone::strong) + "\n";
    const auto line = [&text](std::string_view name, const std::string& value) {
        if (value.empty()) return;
        text += fmt::format("{}  {}\n",
                            paint(fmt::format("{:>8}", name), Tone::quiet),
                            wrapped(value, 10, output_width()));
    };
    line("sold as", chip.product);
    line("also", joined(chip.aliases));
    line("vendor", chip.vendor + (chip.domestic ? " (domestic)" : ""));
    if (chip.year > 0) line("since", std::to_string(chip.year));
    if (chip.memory.count > 0) line("memory", format_bytes(chip.memory));
    if (chip.link_bytes_per_s > 0) line("link", format_rate(chip.link_bytes_per_s, "B/s"));
    if (chip.tdp_watts > 0) line("power", format_rate(chip.tdp_watts, "W"));
    line("stack", joined(chip.stacks));
    if (chip.devices > 1) line("devices", fmt::format("{} of one package", chip.devices));
    line("note", chip.note);
    out(text + "\n");
    TextTable table(
        {{"what"}, {"rate", true}, {"basis"}, {"counted", true}, {"source", false, true}});
    std::vector<Rate> rates = chip.rates;
    if (const auto derived = catalog::derived_emulation(chip)) rates.push_back(*derived);
    for (const Rate& rate : rates) {
        const bool evidence = is_evidence(rate.basis);
        table.row({what_of(rate),
                   (evidence || rate.value <= 0 ? "" : "~") + amount_of(rate),
                   std::string(name_of(rate.basis)),
                   fmt::format("{:.0f} %", 100 * catalog::discount_of(rate.basis)),
                   rate.source});
    }
    out(table.text(output_width()));
}

Result<void> show_chips(const ChipsOptions& options) {
    WEIR_TRY(const Catalog catalog, catalog::catalog_with(options.catalogs));
    const ChipRecord* chip = options.name.empty() ? nullptr : catalog.find(options.name);
    if (chip == nullptr && !options.name.empty()) {
        const std::string near = catalog.nearest(options.name);
        return fail(
            Code::not_found,
            fmt::format("chips: the catalogue does not know '{}'{}; `weir chips` lists what "
                        "it knows, and --catalog FILE adds to it",
                        options.name,
                        near.empty() ? "" : fmt::format(" (did you mean {}?)", near)));
    }
    if (options.json) {
        std::string list;
        for (const ChipRecord& one : catalog.chips()) {
            if (chip != nullptr && &one != chip) continue;
            list += (list.empty() ? "" : ",") + catalog::chip_to_json(one);
        }
        out_json(fmt::format(R"({{"chips":[{}]}})", list));
    } else if (chip != nullptr) {
        show(*chip);
    } else {
        list(catalog);
    }
    return {};
}

}  // namespace

int chips(const ChipsOptions& options) {
    const Result<void> done = show_chips(options);
    return done ? status_ok : report(done.error());
}

}  // namespace weir::cli
