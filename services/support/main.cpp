#include "services/support/state.h"

int main(int argc, char** argv) { return xundian::run_service(argc, argv, xundian::support::definition()); }
