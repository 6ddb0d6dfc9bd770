# a domain XML as libvirt gives it
UNIT += virt_xml
UNIT_SRCS_virt_xml := hostd/virt_xml.c
UNIT_LIBS_virt_xml := -lxml2
