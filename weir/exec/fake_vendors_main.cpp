// A library that answers like NVML, ROCm SMI and DCMI on a machine that has their devices; tests
// open it in the place of the real ones. WEIR_FAKE_NVML names its devices, separated by ';'.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

std::vector<std::string> products() {
    const char* const text = std::getenv("WEIR_FAKE_NVML");
    std::vector<std::string> names;
    std::string rest = text != nullptr ? text : "";
    while (!rest.empty()) {
        const std::size_t stop = rest.find(';');
        names.push_back(rest.substr(0, stop));
        rest = stop == std::string::npos ? "" : rest.substr(stop + 1);
    }
    return names;
}

void copy(char* to, std::size_t room, const std::string& text) {
    std::snprintf(to, room, "%s", text.c_str());
}

std::size_t index_of(void* device) {
    return reinterpret_cast<std::uintptr_t>(device) - 1;
}

}  // namespace

extern "C" {

int nvmlInit_v2() {
    return std::getenv("WEIR_FAKE_NVML_ERROR") != nullptr ? 9 : 0;
}
int nvmlShutdown() {
    return 0;
}
int nvmlSystemGetDriverVersion(char* text, unsigned room) {
    copy(text, room, "580.65.06");
    return 0;
}
int nvmlDeviceGetCount_v2(unsigned* count) {
    *count = static_cast<unsigned>(products().size());
    return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
    if (products()[index] == "lost") return 15;
    *device = reinterpret_cast<void*>(static_cast<std::uintptr_t>(index) + 1);
    return 0;
}
int nvmlDeviceGetName(void* device, char* text, unsigned room) {
    copy(text, room, products()[index_of(device)]);
    return 0;
}
int nvmlDeviceGetMemoryInfo(void*, unsigned long long* memory) {
    memory[0] = 85520809984ULL;  // what an 80 GB card reports
    memory[1] = memory[2] = 0;
    return 0;
}
int nvmlDeviceGetUUID(void* device, char* text, unsigned room) {
    copy(text, room, "GPU-" + std::to_string(index_of(device)));
    return 0;
}
int nvmlDeviceGetEnforcedPowerLimit(void*, unsigned* milliwatts) {
    *milliwatts = 700000;
    return 0;
}

int rsmi_init(std::uint64_t) {
    return 0;
}
int rsmi_shut_down() {
    return 0;
}
int rsmi_num_monitor_devices(std::uint32_t* count) {
    *count = 2;
    return 0;
}
int rsmi_dev_name_get(std::uint32_t, char* text, std::size_t room) {
    copy(text, room, "AMD Instinct MI300X OAM");
    return 0;
}
int rsmi_dev_memory_total_get(std::uint32_t, int, std::uint64_t* bytes) {
    *bytes = 206141652992ULL;
    return 0;
}
int rsmi_dev_unique_id_get(std::uint32_t index, std::uint64_t* id) {
    *id = 0xABC0 + index;
    return 0;
}
int rsmi_dev_power_cap_get(std::uint32_t, std::uint32_t, std::uint64_t* microwatts) {
    *microwatts = 750000000;
    return 0;
}

int dcmi_init() {
    return 0;
}
int dcmi_get_card_list(int* count, int* cards, int) {
    *count = 2;
    cards[0] = 0;
    cards[1] = 4;
    return 0;
}
int dcmi_get_device_num_in_card(int, int* devices) {
    *devices = 2;  // the chip and its management controller
    return 0;
}
int dcmi_get_device_chip_info(int, int device, void* info) {
    auto* const bytes = static_cast<char*>(info);
    copy(bytes, 32, device == 0 ? "Ascend" : "MCU");
    copy(bytes + 32, 32, device == 0 ? "910B3" : "NA");
    const unsigned int cores = device == 0 ? 20 : 0;
    std::memcpy(bytes + 96, &cores, sizeof cores);
    return 0;
}
int dcmi_get_device_hbm_info(int, int, void* info) {
    const unsigned long long megabytes = 65536;
    std::memcpy(info, &megabytes, sizeof megabytes);
    return 0;
}
}
