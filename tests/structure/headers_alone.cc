// Links with one source per public header: anything defined twice fails to link.
int main() {}
