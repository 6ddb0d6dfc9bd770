# a domain XML as libvirt gives it
FUZZ += virt_xml
FUZZ_SRCS_virt_xml := hostd/virt_xml.c
FUZZ_CFLAGS_virt_xml = $(XML_CFLAGS)
FUZZ_LIBS_virt_xml := -lxml2
