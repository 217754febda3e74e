# weir_room(NAME USES targets... PRIVATE targets...)
#
# Makes the library weir_NAME from weir/NAME/*.cpp and, beside it, the test program NAME_test from
# weir/NAME/*_test.cpp and the benchmark NAME_bench from weir/NAME/*_bench.cpp. *_fuzz.cpp holds
# one LLVMFuzzerTestOneInput each: with -DWEIR_FUZZ=ON (clang) every one becomes a libFuzzer
# program; always, it is compiled into the test program of its room through *_fuzz_test.cpp.
# A room whose folder has a CMakeLists.txt adds to this what is peculiar to it.

option(WEIR_FUZZ "build the libFuzzer programs (clang)" OFF)

# Everything a user runs: `make build` builds it, without the tests.
add_custom_target(programs)

add_library(weir_warnings INTERFACE)
target_compile_options(weir_warnings INTERFACE
    -Wall -Wextra -Wconversion -Wshadow -Werror=unused-result -Werror=return-type)

function(weir_room name)
    cmake_parse_arguments(ROOM "" "" "USES;PRIVATE" ${ARGN})
    set(folder ${CMAKE_SOURCE_DIR}/weir/${name})
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp)
    set(tests ${sources})
    set(benches ${sources})
    set(fuzzers ${sources})
    list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
    list(FILTER benches INCLUDE REGEX "_bench\\.cpp$")
    list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cpp$")
    list(FILTER sources EXCLUDE REGEX "_(test|bench|fuzz|main|reference)\\.cpp$")
    # A slow, obviously right reference (NAME_reference.cpp) is linked into tests only.
    file(GLOB references CONFIGURE_DEPENDS ${folder}/*_reference.cpp)

    if(sources)
        add_library(weir_${name} STATIC ${sources})
        set(reach PUBLIC)
        target_link_libraries(weir_${name} PRIVATE weir_warnings ${ROOM_PRIVATE})
    else()
        add_library(weir_${name} INTERFACE)
        set(reach INTERFACE)
    endif()
    target_include_directories(weir_${name} ${reach} ${CMAKE_SOURCE_DIR})
    target_link_libraries(weir_${name} ${reach} ${ROOM_USES})
    if(name STREQUAL "sched" OR name STREQUAL "fleet" OR name STREQUAL "match")
        target_compile_options(weir_${name} ${reach} -ffp-contract=off)
    endif()

    if(WEIR_TESTS AND tests)
        add_executable(${name}_test ${tests} ${references} ${fuzzers})
        target_link_libraries(${name}_test PRIVATE weir_warnings weir_${name} ${ROOM_PRIVATE}
                              GTest::gmock GTest::gtest_main rapidcheck rapidcheck_gtest)
        target_compile_definitions(${name}_test PRIVATE WEIR_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                   WEIR_BINARY_DIR="${CMAKE_BINARY_DIR}/bin")
        add_test(NAME ${name} COMMAND ${name}_test WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
        set_tests_properties(${name} PROPERTIES TIMEOUT 900)
        # The repository carries no third-party log. Tests that need one are a test of their own,
        # so that a run without the logs says that it left them out.
        if(EXISTS ${folder}/real_logs_test.cpp)
            set_tests_properties(${name} PROPERTIES ENVIRONMENT "GTEST_FILTER=-RealLogs.*")
            add_test(NAME ${name}:real-logs-in-WEIR_TRACES
                     COMMAND ${name}_test --gtest_filter=RealLogs.*
                     WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
            set_tests_properties(${name}:real-logs-in-WEIR_TRACES PROPERTIES
                                 TIMEOUT 900 SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]")
        endif()
    endif()
    if(WEIR_BENCHMARKS AND benches)
        add_executable(${name}_bench ${benches})
        target_link_libraries(${name}_bench PRIVATE weir_warnings weir_${name} ${ROOM_PRIVATE}
                              benchmark::benchmark_main)
        add_dependencies(programs ${name}_bench)
    endif()
    if(WEIR_FUZZ)
        foreach(fuzzer ${fuzzers})
            get_filename_component(fuzz_name ${fuzzer} NAME_WE)
            add_executable(${fuzz_name} ${fuzzer})
            target_link_libraries(${fuzz_name} PRIVATE weir_${name} ${ROOM_PRIVATE})
            target_compile_options(${fuzz_name} PRIVATE -fsanitize=fuzzer)
            target_link_options(${fuzz_name} PRIVATE -fsanitize=fuzzer)
        endforeach()
    endif()
    if(EXISTS ${folder}/CMakeLists.txt)
        add_subdirectory(${folder})
    endif()
endfunction()

enable_testing()
