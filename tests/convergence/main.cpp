// The same worlds each time, unless SEED names others. RC_PARAMS, as RapidCheck reads it, overrides both.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

int main(int argc, char** argv) {
  const char* seed = std::getenv("SEED");
  const std::string parameters = std::string("seed=") + (seed != nullptr ? seed : "1") + " max_success=100 verbose_shrinking=0";
  setenv("RC_PARAMS", parameters.c_str(), 0);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
