#include "weir/exec/accelerators.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <memory>

namespace weir::exec {
namespace {

class Library {
public:
    explicit Library(const std::vector<std::string>& candidates) {
        for (const std::string& name : candidates) {
            handle_ = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
            if (handle_ != nullptr) {
                name_ = name;
                return;
            }
        }
    }
    ~Library() {
        if (handle_ != nullptr) ::dlclose(handle_);
    }
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;

    [[nodiscard]] bool there() const { return handle_ != nullptr; }
    [[nodiscard]] const std::string& name() const { return name_; }

    // The first of these names that the library has; null when it has none.
    template <class Function>
    Function* function(std::initializer_list<const char*> names) const {
        for (const char* const name : names) {
            if (void* const symbol = ::dlsym(handle_, name)) {
                return reinterpret_cast<Function*>(symbol);
            }
        }
        return nullptr;
    }

private:
    void* handle_ = nullptr;
    std::string name_;
};

std::string text_of(const char* bytes, std::size_t room) {
    return std::string(bytes, ::strnlen(bytes, room));
}

Fact missing(const char* name, const std::vector<std::string>& candidates) {
    return {
        name,
        false,
        (candidates.empty() ? std::string("library") : candidates.front()) + " is not installed"};
}

Fact broken(const char* name, const Library& library, const std::string& why) {
    return {name, false, library.name() + " is there, but " + why};
}

Fact counted(const char* name, const Library& library, std::size_t count, const std::string& more) {
    return {name,
            true,
            library.name() + " reports " + format_count(count, "device") +
                (more.empty() ? "" : ", " + more)};
}

// ---- NVIDIA: NVML ------------------------------------------------------------------------------

struct NvmlMemory {
    unsigned long long total;
    unsigned long long free;
    unsigned long long used;
};

void ask_nvml(const std::vector<std::string>& candidates,
              std::vector<Accelerator>& found,
              std::vector<Fact>& facts) {
    const Library nvml(candidates);
    if (!nvml.there()) return facts.push_back(missing("nvml", candidates));
    auto* const init = nvml.function<int()>({"nvmlInit_v2", "nvmlInit"});
    auto* const shutdown = nvml.function<int()>({"nvmlShutdown"});
    auto* const count_of =
        nvml.function<int(unsigned*)>({"nvmlDeviceGetCount_v2", "nvmlDeviceGetCount"});
    auto* const handle_of = nvml.function<int(unsigned, void**)>(
        {"nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex"});
    auto* const name_of = nvml.function<int(void*, char*, unsigned)>({"nvmlDeviceGetName"});
    auto* const memory_of = nvml.function<int(void*, NvmlMemory*)>({"nvmlDeviceGetMemoryInfo"});
    auto* const uuid_of = nvml.function<int(void*, char*, unsigned)>({"nvmlDeviceGetUUID"});
    auto* const power_of = nvml.function<int(void*, unsigned*)>(
        {"nvmlDeviceGetEnforcedPowerLimit", "nvmlDeviceGetPowerManagementLimit"});
    auto* const driver_of = nvml.function<int(char*, unsigned)>({"nvmlSystemGetDriverVersion"});
    if (init == nullptr || count_of == nullptr || handle_of == nullptr || name_of == nullptr ||
        memory_of == nullptr) {
        return facts.push_back(broken("nvml", nvml, "it lacks functions that weir needs"));
    }
    if (const int error = init(); error != 0) {
        return facts.push_back(broken(
            "nvml",
            nvml,
            "nvmlInit failed with error " + std::to_string(error) + "; is the driver loaded?"));
    }
    unsigned count = 0;
    const int error = count_of(&count);
    std::size_t usable = 0;
    for (unsigned index = 0; error == 0 && index < count; ++index) {
        void* device = nullptr;
        char name[128] = {};
        NvmlMemory memory{};
        if (handle_of(index, &device) != 0 || name_of(device, name, sizeof name) != 0 ||
            memory_of(device, &memory) != 0) {
            continue;  // fallen off the bus, or not ours to use
        }
        Accelerator chip;
        chip.vendor = "nvidia";
        chip.product = text_of(name, sizeof name);
        chip.index = index;
        chip.memory = Bytes{static_cast<std::int64_t>(memory.total)};
        chip.chip = chip_name(chip.vendor, chip.product, chip.memory);
        char uuid[128] = {};
        if (uuid_of != nullptr && uuid_of(device, uuid, sizeof uuid) == 0) {
            chip.unique_id = text_of(uuid, sizeof uuid);
        }
        unsigned milliwatts = 0;
        if (power_of != nullptr && power_of(device, &milliwatts) == 0) {
            chip.power_limit_watts = milliwatts / 1000.0;
        }
        found.push_back(std::move(chip));
        ++usable;
    }
    std::string more;
    char driver[96] = {};
    if (driver_of != nullptr && driver_of(driver, sizeof driver) == 0) {
        more = "driver " + text_of(driver, sizeof driver);
    }
    if (usable < count) {
        more += (more.empty() ? "" : ", ") + std::to_string(count - usable) + " do not answer";
    }
    if (shutdown != nullptr) shutdown();
    facts.push_back(counted("nvml", nvml, usable, more));
}

// ---- AMD: ROCm SMI -----------------------------------------------------------------------------

void ask_rocm_smi(const std::vector<std::string>& candidates,
                  std::vector<Accelerator>& found,
                  std::vector<Fact>& facts) {
    const Library smi(candidates);
    if (!smi.there()) return facts.push_back(missing("rocm-smi", candidates));
    auto* const init = smi.function<int(std::uint64_t)>({"rsmi_init"});
    auto* const shutdown = smi.function<int()>({"rsmi_shut_down"});
    auto* const count_of = smi.function<int(std::uint32_t*)>({"rsmi_num_monitor_devices"});
    auto* const name_of =
        smi.function<int(std::uint32_t, char*, std::size_t)>({"rsmi_dev_name_get"});
    auto* const memory_of =
        smi.function<int(std::uint32_t, int, std::uint64_t*)>({"rsmi_dev_memory_total_get"});
    auto* const id_of =
        smi.function<int(std::uint32_t, std::uint64_t*)>({"rsmi_dev_unique_id_get"});
    auto* const power_of =
        smi.function<int(std::uint32_t, std::uint32_t, std::uint64_t*)>({"rsmi_dev_power_cap_get"});
    if (init == nullptr || count_of == nullptr || name_of == nullptr || memory_of == nullptr) {
        return facts.push_back(broken("rocm-smi", smi, "it lacks functions that weir needs"));
    }
    if (const int error = init(0); error != 0) {
        return facts.push_back(
            broken("rocm-smi", smi, "rsmi_init failed with error " + std::to_string(error)));
    }
    std::uint32_t count = 0;
    const int error = count_of(&count);
    std::size_t usable = 0;
    for (std::uint32_t index = 0; error == 0 && index < count; ++index) {
        constexpr int video_memory = 0;
        char name[256] = {};
        std::uint64_t bytes = 0;
        if (name_of(index, name, sizeof name) != 0 || memory_of(index, video_memory, &bytes) != 0) {
            continue;
        }
        Accelerator chip;
        chip.vendor = "amd";
        chip.product = text_of(name, sizeof name);
        chip.index = index;
        chip.memory = Bytes{static_cast<std::int64_t>(bytes)};
        chip.chip = chip_name(chip.vendor, chip.product, chip.memory);
        std::uint64_t id = 0;
        if (id_of != nullptr && id_of(index, &id) == 0) {
            char text[32];
            std::snprintf(text, sizeof text, "0x%016llx", static_cast<unsigned long long>(id));
            chip.unique_id = text;
        }
        std::uint64_t microwatts = 0;
        if (power_of != nullptr && power_of(index, 0, &microwatts) == 0) {
            chip.power_limit_watts = static_cast<double>(microwatts) / 1e6;
        }
        found.push_back(std::move(chip));
        ++usable;
    }
    if (shutdown != nullptr) shutdown();
    facts.push_back(counted("rocm-smi", smi, usable, ""));
}

// ---- Huawei: DCMI ------------------------------------------------------------------------------

struct DcmiChip {
    unsigned char type[32];
    unsigned char name[32];
    unsigned char version[32];
    unsigned int aicore_count;
    unsigned int spare[16];  // later versions tell more; room for it
};

struct DcmiHbm {
    unsigned long long megabytes;
    unsigned int frequency;
    unsigned long long megabytes_used;
    int temperature;
    unsigned int utilisation;
    unsigned int spare[16];
};

void ask_dcmi(const std::vector<std::string>& candidates,
              std::vector<Accelerator>& found,
              std::vector<Fact>& facts) {
    const Library dcmi(candidates);
    if (!dcmi.there()) return facts.push_back(missing("dcmi", candidates));
    auto* const init = dcmi.function<int()>({"dcmi_init"});
    auto* const cards_of = dcmi.function<int(int*, int*, int)>({"dcmi_get_card_list"});
    auto* const devices_of = dcmi.function<int(int, int*)>({"dcmi_get_device_num_in_card"});
    auto* const chip_of = dcmi.function<int(int, int, DcmiChip*)>({"dcmi_get_device_chip_info"});
    auto* const hbm_of =
        dcmi.function<int(int, int, DcmiHbm*)>({"dcmi_get_device_hbm_info", "dcmi_get_hbm_info"});
    if (init == nullptr || cards_of == nullptr || devices_of == nullptr || chip_of == nullptr) {
        return facts.push_back(broken("dcmi", dcmi, "it lacks functions that weir needs"));
    }
    if (const int error = init(); error != 0) {
        return facts.push_back(
            broken("dcmi", dcmi, "dcmi_init failed with error " + std::to_string(error)));
    }
    int cards[64] = {};
    int count = 0;
    const int error = cards_of(&count, cards, 64);
    std::size_t usable = 0;
    for (int i = 0; error == 0 && i < std::min(count, 64); ++i) {
        int devices = 0;
        if (devices_of(cards[i], &devices) != 0) continue;
        for (int device = 0; device < devices; ++device) {
            DcmiChip info{};
            if (chip_of(cards[i], device, &info) != 0) continue;
            // A card also lists its management controller, which computes nothing.
            const std::string type = text_of(reinterpret_cast<char*>(info.type), sizeof info.type);
            if (info.aicore_count == 0 && type != "Ascend") continue;
            Accelerator chip;
            chip.vendor = "huawei";
            chip.product = text_of(reinterpret_cast<char*>(info.name), sizeof info.name);
            chip.index = static_cast<std::uint32_t>(usable);
            DcmiHbm hbm{};
            if (hbm_of != nullptr && hbm_of(cards[i], device, &hbm) == 0) {
                chip.memory = mebibytes(static_cast<std::int64_t>(hbm.megabytes));
            }
            chip.chip = chip_name(chip.vendor, chip.product, chip.memory);
            found.push_back(std::move(chip));
            ++usable;
        }
    }
    facts.push_back(counted("dcmi", dcmi, usable, ""));
}

// ---- Names -------------------------------------------------------------------------------------

std::string lower_with_dashes(std::string_view text) {
    std::string name;
    for (const char c : text) {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
            name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        } else if (!name.empty() && name.back() != '-') {
            name += '-';
        }
    }
    while (!name.empty() && name.back() == '-')
        name.pop_back();
    return name;
}

bool has_word(const std::string& dashed, std::string_view word) {
    return ("-" + dashed + "-").find("-" + std::string(word) + "-") != std::string::npos;
}

// Memory as it is sold, in binary units: a card "of 80 GB" reports 79.6 GiB.
std::string size_suffix(Bytes memory) {
    const double gibibytes = static_cast<double>(memory.count) / (1 << 30);
    int nearest = 0;
    for (const int size : {16, 20, 24, 32, 40, 48, 64, 80, 94, 96, 141, 180, 192, 288}) {
        if (nearest == 0 || std::abs(gibibytes - size) < std::abs(gibibytes - nearest)) {
            nearest = size;
        }
    }
    return "-" + std::to_string(nearest) + "g";
}

}  // namespace

std::vector<Accelerator> find_accelerators(const VendorLibraries& libraries,
                                           std::vector<Fact>& facts) {
    std::vector<Accelerator> found;
    ask_nvml(libraries.nvml, found, facts);
    ask_rocm_smi(libraries.rocm_smi, found, facts);
    ask_dcmi(libraries.dcmi, found, facts);
    return found;
}

std::string chip_name(std::string_view vendor, std::string_view product, Bytes memory) {
    std::string name = lower_with_dashes(product);
    for (const std::string_view brand : {"nvidia-", "amd-", "instinct-", "tesla-", "huawei-"}) {
        if (name.compare(0, brand.size(), brand) == 0) name = name.substr(brand.size());
    }
    if (vendor == "huawei") {
        if (name.compare(0, 6, "ascend") == 0) name = name.substr(name.find_first_not_of('-', 6));
        return "ascend-" + name;
    }
    if (vendor == "amd") {
        for (const std::string_view chip : {"mi100",
                                            "mi210",
                                            "mi250x",
                                            "mi250",
                                            "mi300a",
                                            "mi300x",
                                            "mi325x",
                                            "mi350x",
                                            "mi355x"}) {
            if (has_word(name, chip)) return std::string(chip);
        }
        return name;
    }
    if (vendor != "nvidia") return name;
    for (const std::string_view chip : {"gb300", "gb200", "gh200", "b300", "b200", "h200", "h20"}) {
        if (has_word(name, chip)) {
            return std::string(chip) == "h200" && has_word(name, "nvl") ? "h200-nvl"
                                                                        : std::string(chip);
        }
    }
    for (const std::string_view chip : {"h100", "h800", "a100", "a800", "v100"}) {
        // Boards are named by their socket, except the H100 in its SXM form, which is named by
        // its memory ("H100 80GB HBM3").
        const bool named = has_word(name, chip) || name.compare(0, chip.size(), chip) == 0;
        if (!named) continue;
        const bool nvl = has_word(name, "nvl");
        const bool pcie = name.find("pcie") != std::string::npos;
        const char* const form = nvl ? "-nvl" : pcie ? "-pcie" : "-sxm";
        return std::string(chip) + form + size_suffix(memory);
    }
    for (const std::string_view chip :
         {"t4", "a10", "a16", "a2", "a30", "a40", "l2", "l4", "l20", "l40", "l40s"}) {
        if (has_word(name, chip)) return std::string(chip);
    }
    if (name.compare(0, 8, "geforce-") == 0) name = name.substr(8);
    return name;
}

}  // namespace weir::exec
